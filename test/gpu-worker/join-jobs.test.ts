/** Batches that wait are computed as one where that changes no answer. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Images } from "../../common/inference.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { startComputingThread } from "../../gpu-worker/engine/computing-thread.ts";
import type { Execution } from "../../gpu-worker/engine/engine.ts";
import type { Job } from "../../gpu-worker/engine/job.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { assertClose, parityCase } from "./parity-case.ts";
import { pixelsOf, writeTinyBundle } from "./tiny-bundle.ts";

const timeout = 120_000;
const network = parityCase("tiny-plates");
const { channels, height, width, plates } = network.architecture;

const batch = (from: number, to: number, plate = 0): Images => ({
  pixels: pixelsOf(network, from, to),
  shape: [to - from, channels, height, width],
  scale: [],
  offset: [],
  plates: new Array(to - from).fill(plate % plates),
});

const open = async (t: TestContext, bestBatch: number) => {
  const runs: Execution[] = [];
  const bundle = await readBundle(await writeTinyBundle(t, { network }));
  const engine = await openEngine([bundle], {
    ...{ provider: "cpu", threads: 1, bestBatch },
    observe: (run) => runs.push(run),
  });
  t.after(() => engine.close());
  return { engine, runs, sizes: () => runs.splice(0).map(({ images }) => images) };
};

test("batches of several experiments are computed together under running statistics, with the same answers", {
  timeout,
}, async (t) => {
  const { engine, sizes } = await open(t, 16);
  const batches = [batch(0, 8), batch(8, 12, 1), batch(12, 16, 2), batch(16, 24, 1), batch(24, 32)];
  const predict = (images: Images) => engine.predict({}, images, { kind: "running" });
  const alone = [];
  for (const each of batches) alone.push(await predict(each));
  assert.deepEqual(sizes(), [8, 4, 4, 8, 8]);
  const joined = await Promise.all(batches.map(predict));
  assert.deepEqual(sizes(), [8, 16, 8], "the first begins at once; 4 + 4 + 8 wait together, and 8 more do not fit");
  for (const [index, { logits, features }] of joined.entries()) {
    assertClose(logits, alone[index]!.logits, `logits of batch ${index}`);
    assertClose(features, alone[index]!.features, `features of batch ${index}`);
  }
});

test("batches are computed together within one calibration, and apart from another plate's and from their own statistics", {
  timeout,
}, async (t) => {
  const { engine, sizes } = await open(t, 32);
  const calibrated = async (from: number) => {
    const calibration = engine.calibrate({}, 0);
    await calibration.add(batch(from, from + 8));
    return { kind: "calibrated", ...(await calibration.finish()) } as const;
  };
  const [one, other] = [await calibrated(0), await calibrated(8)];
  sizes();
  await Promise.all([
    engine.predict({}, batch(0, 4), { kind: "batch" }),
    engine.predict({}, batch(0, 4), one),
    engine.predict({}, batch(4, 8), other),
    engine.predict({}, batch(8, 12), one),
    engine.predict({}, batch(0, 4), { kind: "batch" }),
  ]);
  assert.deepEqual(sizes(), [4, 8, 4, 4]);
});

/** A thread whose answer per image is its pixel; a run that holds pixel 67 fails. Tells how many images each run had. */
const program = `
import { parentPort } from "node:worker_threads";
parentPort.on("message", (job) => {
  if (job === "close") return parentPort.close();
  const { pixels } = job;
  const outputs = { pixel: Float32Array.from(pixels), run: new Float32Array(pixels.length).fill(pixels.length) };
  const answer = pixels.includes(67)
    ? { type: "failed", code: "invalid-model", message: "no such operator", opened: 1 }
    : { type: "done", outputs, pixels, opened: 1 };
  setTimeout(() => parentPort.postMessage(answer), 20);
});
`;

test("a batch that fails takes none of those with it that it was computed with", { timeout }, async (t) => {
  const file = join(await temporaryFolder(t), "thread.mjs");
  await writeFile(file, program);
  const thread = startComputingThread(
    {
      ...{ networks: [], runtime: "onnxruntime", provider: "cpu", precision: "float32", threads: 1, sessions: 1 },
      ...{ queue: 100, queueBytes: 100, bestBatch: 8, sessionsPerThread: 10 },
    },
    pathToFileURL(file),
  );
  t.after(() => thread.close());
  const job = (pixel: number): Job => ({
    ...{ network: 0, mode: "running", pixelType: "uint8", shape: [1, 1, 1, 1] },
    ...{ pixels: Uint8Array.of(pixel), scale: Float32Array.of(1), offset: Float32Array.of(0) },
  });
  const given: number[] = [];
  const run = (pixel: number) => thread.run(job(pixel), { transfer: true, giveBack: () => given.push(pixel) });
  const together = await Promise.all([1, 2, 3].map(run));
  assert.deepEqual(
    together.map(({ pixel, run }) => [pixel![0], run![0]]),
    [
      [1, 1],
      [2, 2],
      [3, 2],
    ],
  );
  assert.deepEqual(given, [1, 2, 3], "their memory may be used again");
  const outcomes = await Promise.allSettled([4, 5, 67, 6].map(run));
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.pixel![0] : outcome.reason.code)),
    [4, 5, "invalid-model", 6],
  );
});
