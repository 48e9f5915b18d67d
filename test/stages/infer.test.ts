import assert from "node:assert/strict";
import { test } from "node:test";
import type { Statistics } from "../../common/inference.ts";
import type { Batch } from "../../pipeline/stage/items.ts";
import type { Workers } from "../../pipeline/workers/workers.ts";
import { infer } from "../../stages/infer.ts";
import { freeModel, freeWorkers } from "../../testing/free-workers.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";

const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };
const batchOf = (plate: string, index: number, count: number, round = 0): Batch => ({
  domain: `plate ${plate}`,
  round,
  index,
  images: Array.from({ length: count }, (_, i) => imageOf({ plate, site: i }, Uint8Array.of(i, 0, 0, 0))),
});

interface Asked {
  readonly calibrations: number[][];
  readonly predictions: { images: number; statistics: Statistics; plates: readonly number[] }[];
}

const recording = (): { workers: Workers; asked: Asked } => {
  const asked: Asked = { calibrations: [], predictions: [] };
  const free = freeWorkers(freeModel("HUVEC", 8, 2, 1));
  const workers: Workers = {
    ...free,
    calibrate: (model, batches, weight, options) => {
      asked.calibrations.push(batches.map(({ shape }) => shape[0]));
      return free.calibrate(model, batches, weight, options);
    },
    predict: (model, batch, statistics, options) => {
      asked.predictions.push({ images: batch.shape[0], statistics, plates: batch.plates });
      return free.predict(model, batch, statistics, options);
    },
  };
  return { workers, asked };
};

test("infer - calibrates each plate on its first images, then predicts all of it with those statistics", async () => {
  const { workers, asked } = recording();
  const batches = [batchOf("1", 0, 4), batchOf("1", 1, 4), batchOf("1", 2, 4), batchOf("2", 3, 4)];
  const out = await runStage<"site-prediction">(infer, { images: 8 }, batches, contextFor(experiment, workers).context);
  assert.deepEqual(asked.calibrations, [[4, 4], [4]]);
  assert.equal(out.length, 16);
  assert.deepEqual(
    new Set(out.map(({ site, statistics }) => `${site.plate} ${statistics}`)),
    new Set(["1 free-8", "2 free-4"]),
  );
  assert.deepEqual(asked.predictions.at(-1)!.plates, [1, 1, 1, 1]);
});

test("infer - only the first round's images make statistics", async () => {
  const { workers, asked } = recording();
  const batches = [batchOf("1", 0, 4), batchOf("1", 1, 4, 1)];
  await runStage(infer, { images: 8 }, batches, contextFor(experiment, workers).context);
  assert.deepEqual(asked.calibrations, [[4]]);
});

test("infer - in all its views, a site is predicted in each, and its statistics rest on the picture as it is", async () => {
  const seen: number[][] = [];
  const free = freeWorkers(freeModel("HUVEC", 8, 2, 1));
  const workers: Workers = {
    ...free,
    predict: (model, batch, statistics, options) => {
      seen.push([...batch.pixels]);
      return free.predict(model, batch, statistics, options);
    },
  };
  const image = imageOf({ plate: "1" }, Uint8Array.of(1, 2, 3, 4));
  const batch: Batch = { domain: "plate 1", round: 1, index: 0, images: [image] };
  const { context } = contextFor(experiment, workers);
  const served = { ...context, serving: { ...context.serving, allViews: true } };
  const out = await runStage<"site-prediction">(infer, { statistics: "running" }, [batch], served);
  assert.equal(new Set(seen.map(String)).size, 8);
  assert.deepEqual(seen[0], [1, 2, 3, 4]);
  assert.deepEqual(
    out.map(({ round }) => round),
    [8, 9, 10, 11, 12, 13, 14, 15],
  );
  await runStage(infer, { statistics: "running", allViews: false }, [batch], served);
  assert.equal(seen.length, 9);
});

for (const statistics of ["running", "batch"] as const) {
  test(`infer - with ${statistics} statistics nothing is calibrated`, async () => {
    const { workers, asked } = recording();
    const out = await runStage<"site-prediction">(
      infer,
      { statistics },
      [batchOf("1", 0, 4)],
      contextFor(experiment, workers).context,
    );
    assert.deepEqual(asked.calibrations, []);
    assert.deepEqual(
      out.map(({ statistics: used }) => used),
      new Array(4).fill(statistics),
    );
  });
}

test("infer - every image goes back to memory after its last batch", async () => {
  let released = 0;
  const images = [1, 2].map((site) => imageOf({ site }, new Uint8Array(4), 1, () => released++));
  const { workers } = recording();
  const batch = { domain: "plate 1", round: 0, index: 0, images };
  await runStage(infer, {}, [batch], contextFor(experiment, workers).context);
  assert.equal(released, 2);
});

test("infer - a sample that memory cannot hold is an error that says what to do", async () => {
  const { workers } = recording();
  await assert.rejects(
    runStage(
      infer,
      { images: 64 },
      [batchOf("1", 0, 4)],
      contextFor({ ...experiment, sites: new Array(64).fill({}) }, workers, 100).context,
    ),
    {
      message:
        "[too-large] learning from 64 images takes 1 KiB, more than half of the 1 KiB that an experiment's pixels may take; raise memoryMiB or use a smaller sample",
    },
  );
});
