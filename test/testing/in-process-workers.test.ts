import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import { freeModel } from "../../testing/free-workers.ts";
import { inProcessWorkers } from "../../testing/in-process-workers.ts";
import { batchOf } from "../workers/fake-worker.ts";

const model = freeModel("HUVEC", 2, 2, 1);
const options = { signal: new AbortController().signal, deadlineMs: 1_000, retries: 3 };

/** Of the worker's own type: what fits it here is what a program would embed. */
const engineOf = (changes: Partial<Engine> = {}): Engine => ({
  device: { runtime: "none", provider: "none", precision: "float32", bestBatch: 0, threads: 0, refused: [] },
  maxBatch: 64,
  waiting: 0,
  close: async () => undefined,
  models: () => [model],
  predict: async (choice, { pixels, shape, plates }, statistics) => ({
    model,
    statistics: `${choice.cellType} ${statistics.kind} ${plates.length}`,
    logits: Float32Array.from(pixels),
    features: Float32Array.from(shape),
  }),
  calibrate: (_, sourceWeight) => {
    const sizes: number[] = [];
    return {
      model,
      add: async (batch) => void sizes.push("data" in batch ? batch.images : batch.shape[0]),
      finish: async () => ({ images: 0, id: `${sizes.join("+")} with ${sourceWeight}`, data: Uint8Array.of(1) }),
    };
  },
  ...changes,
});

test("an engine in the process predicts batches as a worker does", async () => {
  const workers = inProcessWorkers(engineOf());
  const answer = await workers.predict({ cellType: "HUVEC" }, batchOf(5, 6), { kind: "batch" }, options);
  assert.deepEqual([...answer.logits], [5, 1, 1, 1, 6, 1, 1, 1]);
  assert.deepEqual([...answer.features], [2, 1, 2, 2]);
  assert.equal(answer.statistics, "HUVEC batch 2");
  assert.deepEqual(await workers.models(), [model]);
});

test("an engine in the process estimates statistics from all batches", async () => {
  const statistics = await inProcessWorkers(engineOf()).calibrate(
    { cellType: "HUVEC" },
    [batchOf(1, 2), batchOf(3)],
    8,
    options,
  );
  assert.deepEqual(statistics, { kind: "calibrated", id: "2+1 with 8", data: Uint8Array.of(1) });
});

test("an engine that hangs ends with the deadline or with the run", async () => {
  const seen: AbortSignal[] = [];
  const workers = inProcessWorkers(
    engineOf({
      predict: (_, __, ___, { signal } = {}) => {
        seen.push(signal!);
        return new Promise(() => undefined);
      },
    }),
  );
  const predict = (changes: Partial<typeof options>) =>
    workers.predict({ cellType: "HUVEC" }, batchOf(1), { kind: "running" }, { ...options, ...changes });
  await assert.rejects(predict({ deadlineMs: 10 }), /\[deadline\] the engine took longer than the 10 ms/);
  const stop = new AbortController();
  const stopped = predict({ signal: stop.signal });
  stop.abort();
  await assert.rejects(stopped, /\[cancelled\]/);
  assert.deepEqual(
    seen.map(({ aborted }) => aborted),
    [true, true],
  );
});
