import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type ComputingThread, startComputingThread } from "../../gpu-worker/engine/computing-thread.ts";
import type { Job } from "../../gpu-worker/engine/job.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** A thread that gives back the first pixel and its own number; pixel 66 crashes it, pixel 67 fails, pixel 68 takes long. */
const program = `
import { parentPort, threadId } from "node:worker_threads";
let opened = 0;
parentPort.on("message", (job) => {
  if (job === "close") return parentPort.close();
  const [pixel] = job.pixels;
  if (pixel === 66) throw new Error("out of its mind");
  opened += 1;
  const answer = pixel === 67
    ? { type: "failed", code: "invalid-model", message: "no such operator", opened }
    : { type: "done", outputs: { pixel: Float32Array.of(pixel), thread: Float32Array.of(threadId) }, opened };
  setTimeout(() => parentPort.postMessage(answer), pixel === 68 ? 300 : 0);
});
`;

const start = async (t: TestContext, sessionsPerThread = 1000): Promise<ComputingThread> => {
  const file = join(await temporaryFolder(t), "thread.mjs");
  await writeFile(file, program);
  const options = {
    networks: [],
    runtime: "onnxruntime",
    provider: "cpu",
    precision: "float32" as const,
    threads: 1,
    sessions: 1,
    queue: 100,
    queueBytes: 100,
    bestBatch: 0,
    sessionsPerThread,
  };
  const thread = startComputingThread(options, pathToFileURL(file));
  t.after(() => thread.close());
  return thread;
};

const job = (...pixels: number[]): Job => ({
  network: 0,
  mode: "batch",
  pixelType: "uint8",
  pixels: Uint8Array.from(pixels),
  shape: [1, 1, 1, pixels.length],
  scale: Float32Array.of(1),
  offset: Float32Array.of(0),
});

test("a thread that crashes fails the job it ran; those behind it go to a new one", async (t) => {
  const thread = await start(t);
  const results = await Promise.allSettled([1, 66, 2, 3].map((pixel) => thread.run(job(pixel))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
  assert.match(
    String((results[1] as PromiseRejectedResult).reason),
    /\[worker-unavailable\] the thread that computes crashed: out of its mind/,
  );
});

test("a job that fails keeps its code and leaves the thread alone", async (t) => {
  const thread = await start(t);
  const before = await thread.run(job(1));
  await assert.rejects(thread.run(job(67)), /\[invalid-model\] no such operator/);
  assert.deepEqual((await thread.run(job(1))).thread, before.thread);
});

test("after so many sessions a new thread takes over, and no job is lost", async (t) => {
  const thread = await start(t, 3);
  const results = await Promise.all(Array.from({ length: 9 }, (_, pixel) => thread.run(job(pixel))));
  assert.deepEqual(
    results.map(({ pixel }) => pixel![0]),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.equal(new Set(results.map((outputs) => outputs.thread![0])).size, 3);
});

test("pixels are the caller's unless they may be taken; a part of a larger memory arrives as that part", async (t) => {
  const thread = await start(t);
  const kept = job(1, 2, 3);
  await thread.run(kept);
  assert.equal(kept.pixels.length, 3);
  const given = job(1, 2, 3);
  await thread.run(given, { transfer: true });
  assert.equal(given.pixels.length, 0);
  const part = { ...job(1), pixels: Uint8Array.of(9, 8, 7).subarray(1, 2) };
  assert.deepEqual((await thread.run(part)).pixel, Float32Array.of(8));
});

test("what waits is bounded by its bytes; one batch may always wait, and room comes back", async (t) => {
  const thread = await start(t);
  const of = (bytes: number) => thread.run(job(...new Array<number>(bytes).fill(1)));
  const taken = [of(500), of(120)];
  const refused = of(1);
  await assert.rejects(
    refused,
    /\[too-many-calls\] batches of \d+ KiB of \d+ KiB wait already, .* send the batch to another one, or later/,
  );
  await Promise.all(taken);
  await Promise.all([of(60), of(60), of(40)]);
});

test("a running job that is cancelled answers at once and does not hold up what follows", async (t) => {
  const thread = await start(t);
  const controller = new AbortController();
  const slow = thread.run(job(68), { signal: controller.signal });
  const next = thread.run(job(5));
  controller.abort();
  await assert.rejects(slow, /\[cancelled\]/);
  assert.deepEqual((await next).pixel, Float32Array.of(5));
  await assert.rejects(thread.run(job(1), { signal: controller.signal }), /\[cancelled\]/);
});
