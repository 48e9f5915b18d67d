import assert from "node:assert/strict";
import { test } from "node:test";
import { PlatestreamError } from "../../common/errors.ts";
import { openLog } from "../../common/observe/log.ts";
import { openMetrics } from "../../common/observe/metrics.ts";
import { logStatus } from "../../pipeline/observe/log-status.ts";
import { nodeMetrics } from "../../pipeline/observe/node-metrics.ts";
import { readiness } from "../../pipeline/observe/readiness.ts";
import { countSent, logSent } from "../../pipeline/observe/sent-requests.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { observedWorker } from "../../pipeline/workers/observed-worker.ts";
import type { RemoteWorker } from "../../pipeline/workers/remote-worker.ts";
import { batchOf } from "../workers/fake-worker.ts";

const worker = (state: "ready" | "lost", address = "gpu1:7411"): Status => ({
  type: "worker",
  address,
  state,
  detail: "no answer",
});
const started: Status = {
  type: "experiment-running",
  experiment: "HUVEC-18",
  attempt: 2,
  plates: [{ plate: "1", sites: 6 }],
};
const waiting: Status = {
  type: "experiment-waiting",
  experiment: "HUVEC-18",
  attempt: 2,
  code: "deadline",
  stage: "infer",
  reason: "too late",
};
const failed: Status = {
  type: "experiment-failed",
  stage: "decode",
  failure: { experiment: "RPE-01", cellType: "RPE", attempts: 3, code: "invalid-data", reason: "no such file" },
};

const recorded = () => {
  const lines: Record<string, unknown>[] = [];
  const log = openLog({ format: "json", level: "debug", write: (line) => lines.push(JSON.parse(line)) });
  return { log, lines };
};

test("what happens in a run is counted; what a node holds is read", async () => {
  const metrics = openMetrics();
  const memories = new Set([
    { used: 100, waiting: 2 },
    { used: 50, waiting: 1 },
  ]);
  const next = nodeMetrics(metrics, {
    memories,
    memoryBytes: 1000,
    unsettled: async () => new Map([["HUVEC", 7]]),
    notReady: () => "no worker is ready",
  });
  for (const status of [started, worker("ready"), worker("lost", "gpu2:7411")]) next(status);
  next({ type: "site-done", experiment: "HUVEC-18", plate: "1" });
  const lines = new Set((await metrics.text()).split("\n"));
  const has = (line: string) => assert.ok(lines.has(line), `${line}\n${[...lines].join("\n")}`);
  has("platestream_experiments_running 1");
  has("platestream_pixel_bytes 150");
  has("platestream_pixel_bytes_limit 1000");
  has("platestream_pixel_waiting 3");
  has('platestream_queue_experiments{cell_type="HUVEC"} 7');
  has('platestream_worker_ready{worker="gpu1:7411"} 1');
  has('platestream_worker_ready{worker="gpu2:7411"} 0');
  has("platestream_sites_done_total 1");
  has("platestream_bus_connected 1");
  has("platestream_ready 0");

  for (const status of [waiting, failed]) next(status);
  next({ type: "bus", state: "lost", detail: "" });
  const later = await metrics.text();
  assert.match(later, /^platestream_experiments_running 0$/m);
  assert.match(later, /^platestream_failures_total\{code="deadline",stage="infer",outcome="waiting"\} 1$/m);
  assert.match(later, /^platestream_failures_total\{code="invalid-data",stage="decode",outcome="failed"\} 1$/m);
  assert.match(later, /^platestream_experiments_total\{outcome="failed"\} 1$/m);
  assert.match(later, /^platestream_bus_connected 0$/m);
});

test("a bus that does not answer does not hold up the other numbers", async () => {
  const metrics = openMetrics();
  const unsettled = () => new Promise<never>(() => undefined);
  nodeMetrics(metrics, { memories: new Set(), memoryBytes: 1, unsettled, notReady: () => undefined });
  const keepsAlive = setTimeout(() => undefined, 10_000);
  const text = await metrics.text();
  clearTimeout(keepsAlive);
  assert.match(text, /^platestream_ready 1$/m);
  assert.doesNotMatch(text, /^platestream_queue_experiments\{/m);
});

test("a node is ready while some worker is and the bus answers, until it leaves", () => {
  const { next, reason } = readiness();
  assert.equal(reason(), "no worker is ready");
  next(worker("ready"));
  next(worker("ready", "gpu2:7411"));
  next(worker("lost"));
  assert.equal(reason(), undefined);
  next({ type: "bus", state: "lost", detail: "lost 10.0.0.2:4222" });
  assert.equal(reason(), "the bus is lost: lost 10.0.0.2:4222");
  next({ type: "bus", state: "ready", detail: "" });
  next(worker("lost", "gpu2:7411"));
  assert.equal(reason(), "no worker is ready");
  next({ type: "draining", reason: "terminated" });
  assert.equal(reason(), "terminated");
});

test("a failed attempt is a warning and a failed experiment an error, both with what failed", () => {
  const { log, lines } = recorded();
  for (const status of [started, waiting, failed]) logStatus(log, status);
  logStatus(log, { type: "site-done", experiment: "HUVEC-18", plate: "1" });
  assert.deepEqual(
    lines.map(({ time: _, ...line }) => line),
    [
      { level: "info", message: "experiment started", experiment: "HUVEC-18", attempt: 2, plates: 1, sites: 6 },
      {
        level: "warn",
        message: "attempt failed",
        experiment: "HUVEC-18",
        attempt: 2,
        code: "deadline",
        stage: "infer",
        reason: "too late",
      },
      {
        level: "error",
        message: "experiment failed",
        experiment: "RPE-01",
        attempt: 3,
        code: "invalid-data",
        stage: "decode",
        reason: "no such file",
      },
    ],
  );
});

test("requests are outstanding until they end; failures are counted by code and logged with the batch", async () => {
  const metrics = openMetrics();
  const { log, lines } = recorded();
  const [count, logged] = [countSent(metrics), logSent(log)];
  let answer: { resolve(): void; reject(error: Error): void } | undefined;
  const never = () => Promise.reject(new Error("not asked"));
  const inner: RemoteWorker = {
    address: "gpu1:7411",
    info: never,
    predict: () => new Promise((resolve, reject) => (answer = { resolve: () => resolve({} as never), reject })),
    calibrate: never,
    combine: never,
    holds: () => false,
    close: () => undefined,
  };
  const observed = observedWorker(inner, (request) => {
    const ended = [count(request), logged(request)];
    return (error) => {
      for (const each of ended) each(error);
    };
  });
  const about = { experiment: "HUVEC-18", attempt: 1, plate: "3", batch: "0.4" };
  const options = { signal: new AbortController().signal, deadlineMs: 1_000, about };
  const send = () => observed.predict({ cellType: "HUVEC" }, batchOf(1, 2), { kind: "batch" }, options);

  const first = send();
  assert.match(await metrics.text(), /^platestream_worker_outstanding_requests\{worker="gpu1:7411"\} 1$/m);
  assert.match(await metrics.text(), /^platestream_worker_outstanding_bytes\{worker="gpu1:7411"\} 8$/m);
  answer!.resolve();
  await first;
  const second = send();
  answer!.reject(new PlatestreamError("deadline", "too late"));
  await assert.rejects(second, /too late/);
  const text = await metrics.text();
  assert.match(text, /^platestream_worker_outstanding_requests\{worker="gpu1:7411"\} 0$/m);
  assert.match(text, /^platestream_worker_requests_total\{worker="gpu1:7411",method="predict",outcome="ok"\} 1$/m);
  assert.match(
    text,
    /^platestream_worker_requests_total\{worker="gpu1:7411",method="predict",outcome="deadline"\} 1$/m,
  );
  assert.match(text, /^platestream_worker_images_total\{worker="gpu1:7411",method="predict"\} 2$/m);
  assert.deepEqual(
    lines.map(({ level, message, worker, experiment, batch }) => [level, message, worker, experiment, batch]),
    [
      ["debug", "worker answered", "gpu1:7411", "HUVEC-18", "0.4"],
      ["warn", "worker failed", "gpu1:7411", "HUVEC-18", "0.4"],
    ],
  );
});
