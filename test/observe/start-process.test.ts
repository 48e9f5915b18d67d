/** `pipeline start` as operators meet it, alone and on a bus: real processes, whose worker answers when the test says so. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Overview } from "../../pipeline/bus/nats/overview.ts";
import { startNatsServer } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { startFakeWorker, wireError } from "../workers/fake-worker.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [main, ...args], { timeout: 60_000 })).stdout;

type Line = Record<string, unknown>;

interface Started {
  readonly child: ChildProcess;
  readonly log: readonly Line[];
  /** Waits for a line whose message fits. */
  said(message: RegExp, times?: number): Promise<Line>;
  get(path: string): Promise<{ status: number; text: string }>;
  readonly ended: Promise<unknown>;
}

/** Four small experiments, which no test changes. */
let data: string;
before(async () => {
  data = await mkdtemp(join(tmpdir(), "platestream-"));
  const sizes = ["--classes", "4", "--size", "16", "--plates", "1", "--positive-controls", "1"];
  await pipeline("data", "synth", data, "--experiments", "HUVEC-01..04", ...sizes);
});
after(() => rm(data, { recursive: true, force: true }));

/** A worker that holds its answers back until the gate is opened, and how to start a run with it. */
const setup = async (t: TestContext) => {
  const folder = await temporaryFolder(t);
  const fake = await startFakeWorker(t, { channels: 6 });
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  fake.before = () => gate;
  t.after(open);
  const start = (...args: string[]): Started => {
    const child = spawn(
      process.execPath,
      [
        ...[main, "start", "--worker", fake.address, "--out", join(folder, "out"), "--strategy", "argmax"],
        ...["--log-format", "json", "--log-level", "debug", "--metrics-listen", "127.0.0.1:0", ...args],
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    t.after(() => child.kill("SIGKILL"));
    const log: Line[] = [];
    createInterface({ input: child.stderr! }).on("line", (line) => log.push(JSON.parse(line)));
    const said = async (message: RegExp, times = 1): Promise<Line> => {
      for (let tries = 0; ; tries++) {
        const lines = log.filter((line) => message.test(String(line.message)));
        if (lines.length >= times) return lines.at(-1)!;
        assert.ok(tries < 1500, `${message} ${times} times in\n${log.map((line) => JSON.stringify(line)).join("\n")}`);
        await sleep(20);
      }
    };
    const get = async (path: string) => {
      const { url } = await said(/^metrics and probes/);
      const response = await fetch(`${url}${path}`);
      return { status: response.status, text: await response.text() };
    };
    return { child, log, said, get, ended: once(child, "close") };
  };
  return { open, start, fake };
};

const messages = ({ log }: Started, message: string) => log.filter((line) => line.message === message);

test("SIGTERM drains a run: what runs is finished, nothing else is begun, and the same command goes on", async (t) => {
  const { open, start } = await setup(t);
  const first = start("--data", data);
  await first.said(/^experiment started$/, 2);
  assert.deepEqual(await first.get("/readyz"), { status: 200, text: "ready\n" });
  const { text } = await first.get("/metrics");
  assert.match(text, /^platestream_experiments_running 2$/m);
  assert.match(text, /^platestream_queue_experiments\{cell_type="HUVEC"\} 4$/m);

  first.child.kill("SIGTERM");
  await first.said(/^terminated: experiments that run have 20 s to finish/);
  assert.equal((await first.get("/readyz")).status, 503);
  assert.equal((await first.get("/healthz")).status, 200);
  open();
  assert.deepEqual(await first.ended, [130, null]);
  assert.equal(messages(first, "experiment started").length, 2);
  assert.equal(messages(first, "experiment done").length, 2);

  const second = start("--data", data);
  assert.deepEqual(await second.ended, [0, null]);
  const before = messages(first, "experiment done").map(({ experiment }) => experiment);
  const after = messages(second, "experiment done").map(({ experiment }) => experiment);
  assert.equal(new Set([...before, ...after]).size, 4);
  assert.equal(after.length, 2);
});

test("SIGTERM - what is not finished within --grace is requeued, as no attempt", async (t) => {
  const { open, start } = await setup(t);
  const first = start("--data", data, "--grace", "1");
  await first.said(/^experiment started$/, 2);
  first.child.kill("SIGTERM");
  assert.deepEqual(await first.ended, [130, null]);
  assert.equal(messages(first, "experiment done").length, 0);
  open();
  const second = start("--data", data);
  assert.deepEqual(await second.ended, [0, null]);
  assert.ok(messages(second, "experiment started").every(({ attempt }) => attempt === 1));
  assert.equal(messages(second, "experiment done").length, 4);
});

test("a second SIGTERM does not wait for the end of --grace", async (t) => {
  const { start } = await setup(t);
  const run = start("--data", data, "--grace", "600");
  await run.said(/^experiment started$/, 2);
  run.child.kill("SIGTERM");
  await run.said(/^terminated: experiments that run have 600 s/);
  run.child.kill("SIGTERM");
  assert.deepEqual(await run.ended, [130, null]);
});

test("log lines of requests say experiment, attempt, plate, batch and worker; one that fails is a warning", async (t) => {
  const { start, fake } = await setup(t);
  let fails = 1;
  fake.before = () => {
    if (fails-- > 0) throw wireError("deadline", "too late");
  };
  const run = start("--data", data, "--experiment", "HUVEC-03");
  assert.deepEqual(await run.ended, [0, null]);
  const about = { experiment: "HUVEC-03", attempt: 1, plate: "1", worker: fake.address };
  const lines = (message: string) => messages(run, message).map(({ time: _, ms: __, ...line }) => line);
  const calibration = { message: "worker answered", ...about, batch: "calibration", method: "calibrate", images: 12 };
  assert.deepEqual(lines("worker answered")[0], { level: "debug", ...calibration });
  assert.deepEqual(lines("worker failed"), [
    {
      ...{ ...calibration, message: "worker failed", level: "warn", code: "deadline" },
      reason: `worker ${fake.address}: too late`,
    },
  ]);
  const batches = lines("worker answered").map(({ batch }) => batch);
  const inAllViews = new Array<string>(8).fill("0.0");
  assert.deepEqual(batches.sort(), [...inAllViews, "calibration"]);
});

test("SIGTERM - a node begins nothing, finishes or hands back what runs, leaves the bus and ends with 0", async (t) => {
  const { open, start } = await setup(t);
  const server = await startNatsServer();
  t.after(() => server.close());
  const bus = server.namespace();
  const counts = async () => (JSON.parse(await pipeline("status", "--bus", bus, "--json")) as Overview).counts;
  await pipeline("submit", "--bus", bus, "--data", data);

  const late = start("--bus", bus, "--data-root", data, "--node", "late", "--grace", "1");
  await late.said(/^experiment started$/, 2);
  assert.match((await late.get("/metrics")).text, /^platestream_queue_experiments\{cell_type="HUVEC"\} 4$/m);
  late.child.kill("SIGTERM");
  assert.deepEqual(await late.ended, [0, null]);
  assert.deepEqual(await counts(), { queued: 4, running: 0, waiting: 0, done: 0, failed: 0 });

  const drained = start("--bus", bus, "--data-root", data, "--node", "drained");
  await drained.said(/^experiment started$/, 2);
  assert.ok(messages(drained, "experiment started").every(({ attempt }) => attempt === 1));
  drained.child.kill("SIGTERM");
  await drained.said(/^terminated/);
  open();
  assert.deepEqual(await drained.ended, [0, null]);
  assert.deepEqual(await counts(), { queued: 2, running: 0, waiting: 0, done: 2, failed: 0 });
  const { nodes } = JSON.parse(await pipeline("status", "--bus", bus, "--json")) as Overview;
  assert.deepEqual(nodes, []);
});
