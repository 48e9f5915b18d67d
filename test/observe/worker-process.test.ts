/** A worker as operators meet it: a process with probes, metrics, log lines and signals. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ClientWritableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  makeGenericClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { loadProtos } from "../../common/grpc/protos.ts";
import { identityKey, writeIdentity } from "../../common/grpc/request-identity.ts";
import { pixelsOf, tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
type Json = Record<string, unknown>;

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly address: string;
  readonly log: readonly Json[];
  get(path: string): Promise<{ status: number; text: string }>;
  /** Waits until `/metrics` has the line. */
  metric(line: string | RegExp): Promise<void>;
}

const start = async (t: TestContext, ...options: string[]): Promise<Started> => {
  const bundle = await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] });
  const child = spawn(process.execPath, [
    ...[main, "worker", "--model", bundle, "--provider", "cpu", "--listen", "127.0.0.1:0", "--json"],
    ...["--metrics-listen", "127.0.0.1:0", "--log-format", "json", "--log-level", "debug", ...options],
  ]);
  t.after(() => child.kill("SIGKILL"));
  const log: Json[] = [];
  const lines = createInterface({ input: child.stderr }).on("line", (line) => log.push(JSON.parse(line)));
  const [[ready]] = await Promise.all([once(createInterface({ input: child.stdout }), "line"), once(lines, "line")]);
  const get = async (path: string) => {
    const response = await fetch(`${log[0]!.metrics}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const metric = async (line: string | RegExp) => {
    for (let tries = 0; ; tries++) {
      const { text } = await get("/metrics");
      if (typeof line === "string" ? text.split("\n").includes(line) : line.test(text)) return;
      assert.ok(tries < 500, `no ${line} in\n${text}`);
      await sleep(20);
    }
  };
  return { child, address: JSON.parse(ready).address, log, get, metric };
};

const clientsOf = (t: TestContext, address: string) => {
  const loaded = loadPackageDefinition(loadProtos("platestream.proto")) as unknown as {
    platestream: { v1: { Worker: ServiceClientConstructor } };
  };
  const worker = new loaded.platestream.v1.Worker(address, credentials.createInsecure());
  const Health = makeGenericClientConstructor(healthService, "Health");
  // A connection of its own, as that of a load balancer.
  const health = new Health(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  t.after(() => worker.close());
  t.after(() => health.close());
  const metadata = new Metadata();
  metadata.set(identityKey, writeIdentity({ experiment: "HUVEC-18", attempt: 2, plate: "3", batch: "0.12" }));
  const unary = (client: object, method: string, request: Json): Promise<Json> =>
    new Promise((resolve, reject) =>
      (client as unknown as Record<string, (...args: unknown[]) => void>)[method]!(
        request,
        metadata,
        (error: ServiceError | null, response: Json) => (error === null ? resolve(response) : reject(error)),
      ),
    );
  /** A request that is under way until the stream is ended. */
  const calibrate = () => {
    let stream: ClientWritableStream<Json> | undefined;
    const answer = new Promise<Json>((resolve, reject) => {
      stream = worker.Calibrate!(metadata, (error: ServiceError | null, response: Json) =>
        error === null ? resolve(response) : reject(error),
      );
    });
    answer.catch(() => undefined);
    stream!.write({ cell_type: "HUVEC", images: images(2) });
    return { answer, end: () => stream!.end() };
  };
  return {
    predict: (request: Json) => unary(worker, "Predict", request),
    check: async (service: string) => (await unary(health, "check", { service })).status,
    watch: () => {
      const seen: string[] = [];
      const call = health.watch!({ service: "platestream.v1.Worker" });
      call.on("data", ({ status }: { status: string }) => seen.push(status));
      call.on("error", () => undefined);
      return seen;
    },
    calibrate,
  };
};

const images = (count: number): Json => {
  const { channels, height, width } = tiny.architecture;
  return { pixels: Buffer.from(pixelsOf(tiny, 0, count)), type: "UINT8", shape: [count, channels, height, width] };
};

test("metrics have Triton's names, count requests, images and failures, and log lines carry the client's identity", async (t) => {
  const { address, log, metric, get } = await start(t);
  const { predict } = clientsOf(t, address);
  await predict({ cell_type: "HUVEC", images: images(2) });
  await predict({ cell_type: "HUVEC", images: images(3) });
  await assert.rejects(predict({ cell_type: "U2OS", images: images(1) }));
  await metric(/^nv_inference_request_success\{model="tiny",version="\w+",cell_type="HUVEC",method="Predict"\} 2$/m);
  await metric(/^nv_inference_count\{model="tiny",version="\w+",cell_type="HUVEC",mode="running"\} 5$/m);
  await metric(/^nv_inference_exec_count\{model="tiny",version="\w+",cell_type="HUVEC",mode="running"\} 2$/m);
  await metric(
    'nv_inference_request_failure{model="",version="",cell_type="",method="Predict",reason="OTHER",code="unknown-model"} 1',
  );
  await metric("nv_inference_pending_request_count 0");
  const { text } = await get("/metrics");
  const microseconds = (name: string) =>
    Number(new RegExp(`^nv_inference_${name}_duration_us\\{.*\\} (\\S+)$`, "m").exec(text)![1]);
  const parts = ["queue", "compute_input", "compute_infer", "compute_output"].map(microseconds);
  assert.ok(parts.every((part) => part > 0));
  assert.ok(parts.reduce((a, b) => a + b) <= microseconds("request"));

  const about = { worker: address, experiment: "HUVEC-18", attempt: 2, plate: "3", batch: "0.12", method: "Predict" };
  const [first, , failed] = log.filter(({ message }) => /^request /.test(String(message)));
  const { time: _, ms, ...answered } = first!;
  assert.equal(typeof ms, "number");
  const network = { model: "tiny", cellType: "HUVEC" };
  assert.deepEqual(answered, { level: "debug", message: "request answered", ...about, ...network, images: 2 });
  assert.equal(failed!.level, "warn");
  assert.equal(failed!.code, "unknown-model");
  assert.equal(failed!.batch, "0.12");
});

test("SIGTERM - not ready, not serving, nothing new; what is under way is answered, then it ends with 0", async (t) => {
  const { child, address, metric, get } = await start(t);
  const { predict, check, watch, calibrate } = clientsOf(t, address);
  assert.deepEqual(await get("/readyz"), { status: 200, text: "ready\n" });
  assert.deepEqual(await Promise.all(["", "platestream.v1.Worker"].map(check)), ["SERVING", "SERVING"]);
  const seen = watch();
  const running = calibrate();
  await metric("platestream_active_requests 1");

  child.kill("SIGTERM");
  while (seen.at(-1) !== "NOT_SERVING") await sleep(5);
  assert.deepEqual(await get("/readyz"), { status: 503, text: "the worker is shutting down\n" });
  assert.equal((await get("/healthz")).status, 200);
  for (const connection of [check, clientsOf(t, address).check]) {
    const answers = await Promise.all(["", "platestream.v1.Worker"].map(connection));
    assert.deepEqual(answers, ["NOT_SERVING", "NOT_SERVING"]);
  }
  await assert.rejects(predict({ cell_type: "HUVEC", images: images(1) }), { code: status.UNAVAILABLE });
  await metric(/^nv_inference_request_failure\{.*reason="REJECTED",code="worker-unavailable"\} 1$/m);
  running.end();
  assert.equal((await running.answer).images, 2);
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("SIGTERM - what is not finished within --grace is left unfinished, and it ends with 0", async (t) => {
  const { child, address, metric, log } = await start(t, "--grace", "1");
  const running = clientsOf(t, address).calibrate();
  await metric("platestream_active_requests 1");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
  await assert.rejects(running.answer);
  assert.ok(
    log.some(({ message }) => message === "requests are left unfinished"),
    JSON.stringify(log.slice(-5)),
  );
});

test("a second signal kills a worker", async (t) => {
  const { child, address, metric, log } = await start(t);
  clientsOf(t, address).calibrate();
  await metric("platestream_active_requests 1");
  child.kill("SIGTERM");
  while (log.at(-1)!.message !== "shutting down") await sleep(5);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
});
