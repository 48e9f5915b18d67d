import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { noReplicates } from "../../common/assignment/replicates.ts";
import type { PlatestreamError } from "../../common/errors.ts";
import type { Images, Statistics } from "../../common/inference.ts";
import { sourceServing } from "../../common/serving.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { batchOf, type FakeOptions, startFakeWorker, wireError } from "./fake-worker.ts";

const options = { signal: new AbortController().signal, deadlineMs: 5_000 };
const huvec = { cellType: "HUVEC" };
const statistics: Statistics = { kind: "calibrated", id: "s1", data: Uint8Array.of(9, 9) };

const setup = async (t: TestContext, fakeOptions?: FakeOptions) => {
  const fake = await startFakeWorker(t, fakeOptions);
  const worker = platestreamWorker(fake.address);
  t.after(() => worker.close());
  return { fake, worker };
};

test("a worker lists what it holds", async (t) => {
  const { worker } = await setup(t, { cellTypes: ["HUVEC", "RPE"], plates: 4 });
  const { models, runtime } = await worker.info(options);
  assert.equal(runtime, "fake cpu");
  assert.deepEqual(models[1], {
    name: "fake",
    version: "v1",
    cellType: "RPE",
    trained: true,
    classes: ["0", "1"],
    controls: [1],
    plateGroups: [[0]],
    channels: 1,
    height: 2,
    width: 2,
    plates: 4,
    channelNames: [],
    featureCount: 1,
    confidence: { temperature: 2, slope: 1, offset: 0, wells: 50 },
    copies: [],
    replicates: noReplicates,
    serving: { ...sourceServing, domain: "experiment", batch: 12, sites: "logits", allViews: true },
  });
});

test("a batch goes over the wire as bytes and comes back as logits and features", async (t) => {
  const { fake, worker } = await setup(t);
  const batch = { ...batchOf(7, 8, 9), scale: [0.5], offset: [1] };
  const answer = await worker.predict(huvec, batch, { kind: "batch" }, options);
  assert.deepEqual([...answer.logits], [7, 3, 8, 3, 9, 3]);
  assert.deepEqual([...answer.features], [10, 11, 12]);
  assert.equal(answer.statistics, "batch");
  assert.equal(answer.model.cellType, "HUVEC");
  const [{ images, model, cell_type }] = fake.predictions as [(typeof fake.predictions)[0]];
  assert.deepEqual([model, cell_type, images.type, images.shape], ["", "HUVEC", "UINT8", [3, 1, 2, 2]]);
  assert.deepEqual([images.scale, images.offset], [[0.5], [1]]);
});

test("16-bit pixels go as such, little-endian", async (t) => {
  const { fake, worker } = await setup(t);
  const image: Images = { ...batchOf(1), pixels: Uint16Array.of(0x0102, 0, 0, 0) };
  await worker.predict(huvec, image, { kind: "running" }, options);
  assert.equal(fake.predictions[0]!.images.type, "UINT16");
  assert.deepEqual([...fake.predictions[0]!.images.pixels.subarray(0, 2)], [2, 1]);
});

test("positions of plates are sent with the images", async (t) => {
  const { fake, worker } = await setup(t, { plates: 4 });
  await worker.predict(huvec, batchOf(1, 2), { kind: "batch" }, options);
  assert.deepEqual(fake.predictions[0]!.plates, [3, 3]);
});

test("the bytes of statistics are sent once, and again when the worker has lost them", async (t) => {
  const { fake, worker } = await setup(t);
  const predict = () => worker.predict(huvec, batchOf(1), statistics, options);
  const sent = () => fake.predictions.splice(0).map((request) => request.statistics.calibrated!.data.length);
  assert.equal((await predict()).statistics, "s1");
  await predict();
  assert.deepEqual(sent(), [2, 0]);
  fake.held.clear();
  await predict();
  await predict();
  assert.deepEqual(sent(), [0, 2, 0]);
});

test("statistics are estimated from a stream of batches, and are not sent back", async (t) => {
  const { fake, worker } = await setup(t);
  const estimated = await worker.calibrate(huvec, [batchOf(1, 2), batchOf(3)], 16, options);
  assert.deepEqual(estimated, { kind: "calibrated", id: "of-3", data: Uint8Array.of(1, 2, 3) });
  assert.deepEqual(
    fake.calibrations[0]!.map(({ images, source_weight }) => [images.shape[0], source_weight]),
    [
      [2, 16],
      [1, 16],
    ],
  );
  await worker.predict(huvec, batchOf(1), estimated, options);
  assert.equal(fake.predictions[0]!.statistics.calibrated!.data.length, 0);
});

test("estimates of single batches are combined in their order", async (t) => {
  const { fake, worker } = await setup(t);
  const estimates = [Uint8Array.of(7), Uint8Array.of(8)].map((data, index) => ({ data, images: 3 + index }));
  const combined = await worker.combine(huvec, estimates, 16, options);
  assert.deepEqual(combined, { kind: "calibrated", id: "of-7", data: Uint8Array.of(1, 2, 3) });
  assert.deepEqual(
    fake.calibrations[0]!.map(({ images, estimate, source_weight }) => [images, [...estimate!.data], source_weight]),
    [
      [null, [7], 16],
      [null, [8], 16],
    ],
  );
});

test("images of a calibration are sent once, and again where the worker does not hold them any more", async (t) => {
  const { fake, worker } = await setup(t);
  const [first, second] = [batchOf(7, 8), batchOf(9)];
  const estimated = await worker.calibrate(huvec, [first, second], 0, options);
  assert.deepEqual([worker.holds(first), worker.holds(batchOf(7, 8))], [true, false]);
  const sizes = () => fake.predictions.splice(0).map(({ images }) => images.pixels.length);
  const { logits } = await worker.predict(huvec, first, estimated, options);
  assert.deepEqual([...logits], [7, 2, 8, 2]);
  assert.deepEqual(sizes(), [0]);
  fake.images.clear();
  assert.equal((await worker.predict(huvec, second, estimated, options)).logits[0], 9);
  assert.deepEqual(sizes(), [0, 4]);
  await worker.predict(huvec, first, estimated, options);
  assert.deepEqual(sizes(), [8], "they are held for one prediction");
});

test("results are exact when thousands of values lie unaligned in a message", async (t) => {
  const { worker } = await setup(t);
  const levels = Array.from({ length: 1001 }, (_, index) => index % 250);
  const { logits } = await worker.predict(huvec, batchOf(...levels), { kind: "batch" }, options);
  assert.deepEqual(
    levels.map((_, index) => logits[2 * index]),
    levels,
  );
});

test("errors bear the worker's code and its address, or what the status comes closest to", async (t) => {
  const { fake, worker } = await setup(t);
  const fails = (error: object, expected: string) => {
    fake.before = () => {
      throw error;
    };
    return assert.rejects(worker.predict(huvec, batchOf(1), { kind: "batch" }, options), {
      name: "PlatestreamError",
      message: expected.replace("ADDRESS", fake.address),
    });
  };
  await fails(wireError("too-large", "[too-large] at most 64"), "[too-large] worker ADDRESS: at most 64");
  await fails(wireError("unknown-model", "no such", false), "[unknown-model] worker ADDRESS: no such");
  await fails(wireError("cancelled", "shutting down"), "[worker-unavailable] worker ADDRESS: shutting down");
  await fails({ code: 13, details: "boom" }, "[internal] worker ADDRESS: boom");
});

test("a request that takes too long ends with its deadline", async (t) => {
  const { fake, worker } = await setup(t);
  await worker.info(options);
  fake.before = () => sleep(5_000, undefined, { ref: false });
  const error = await worker
    .predict(huvec, batchOf(1), { kind: "batch" }, { ...options, deadlineMs: 100 })
    .catch((thrown) => thrown);
  assert.equal((error as PlatestreamError).code, "deadline");
});

test("a request that is cancelled is cancelled at the worker too", async (t) => {
  const { fake, worker } = await setup(t);
  const stop = new AbortController();
  fake.before = async () => {
    stop.abort();
    await sleep(5_000, undefined, { ref: false });
  };
  await assert.rejects(
    worker.predict(huvec, batchOf(1), { kind: "batch" }, { ...options, signal: stop.signal }),
    /\[cancelled\] the run was cancelled/,
  );
  while (fake.cancelled === 0) await sleep(5);
  await assert.rejects(worker.info({ ...options, signal: stop.signal }), /cancelled/);
});

test("a worker that says it does not serve, or is not there, is unavailable", async (t) => {
  const { fake, worker } = await setup(t);
  fake.setHealth("NOT_SERVING");
  await assert.rejects(worker.info(options), /\[worker-unavailable\] worker .* its health is NOT_SERVING/);
  fake.die();
  await assert.rejects(worker.info(options), /\[worker-unavailable\] worker 127\.0\.0\.1:/);
});
