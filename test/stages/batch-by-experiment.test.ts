import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceServing } from "../../common/serving.ts";
import type { Batch } from "../../pipeline/stage/items.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { batchByExperiment } from "../../stages/batch-by-experiment.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";

const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };
const plate = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => imageOf({ plate: name, site: i }, new Uint8Array(1)));
const run = (options: Record<string, unknown>, images: unknown[], capacity?: number) =>
  runStage<"batch">(batchByExperiment, options, images, contextFor(experiment, undefined, capacity).context);
const sitesOf = ({ images }: Batch) => images.map(({ site }) => site.site);

test("batches - never mix plates; a rest of less than half a batch joins the last", async () => {
  const batches = await run({ size: 4 }, [...plate("1", 9), ...plate("2", 6)]);
  assert.deepEqual(
    batches.map(({ domain, images }) => [domain, images.length]),
    [
      ["plate 1", 4],
      ["plate 1", 5],
      ["plate 2", 4],
      ["plate 2", 2],
    ],
  );
});

test("batches - within an experiment plates are mixed", async () => {
  const batches = await run({ size: 4, within: "experiment" }, [...plate("1", 2), ...plate("2", 2)]);
  assert.deepEqual(
    batches.map(({ domain, images }) => [domain, images.length]),
    [["experiment HUVEC-01", 4]],
  );
});

test("batches - every image is read once per size and round, beside other neighbours", async () => {
  const batches = await run({ size: [4, 6], rounds: 3 }, plate("1", 24));
  const rounds = new Map<number, Batch[]>();
  for (const batch of batches) rounds.set(batch.round, [...(rounds.get(batch.round) ?? []), batch]);
  assert.deepEqual([...rounds.keys()], [0, 1, 2, 3, 4, 5]);
  for (const [round, each] of rounds) {
    assert.deepEqual(
      each.flatMap(sitesOf).sort((a, b) => a - b),
      Array.from({ length: 24 }, (_, i) => i),
    );
    assert.ok(each.every(({ images }) => images.length === (round < 3 ? 4 : 6)));
  }
  assert.notDeepEqual(rounds.get(0)!.map(sitesOf), rounds.get(1)!.map(sitesOf));
  const again = await run({ size: [4, 6], rounds: 3 }, plate("1", 24));
  assert.deepEqual(again.map(sitesOf), batches.map(sitesOf), "the order is a function of the seed");
  const other = await run({ size: [4, 6], rounds: 3, seed: 1 }, plate("1", 24));
  assert.notDeepEqual(other.map(sitesOf), batches.map(sitesOf));
});

test("batches - several rounds keep no more than a window, and fit into half of the memory", async () => {
  const emittedAfter: number[] = [];
  let seen = 0;
  const images = plate("1", 40).map((image) => ({
    ...image,
    get lease() {
      return { bytes: 1, retain: () => undefined, release: () => undefined };
    },
  }));
  const { context } = contextFor(experiment, undefined, 20);
  const { from, tap, lastValueFrom, toArray } = await import("rxjs");
  const stage = batchByExperiment.apply(batchByExperiment.config.parse({ size: 4, rounds: 2 }), context);
  await lastValueFrom(
    from(images).pipe(
      tap(() => seen++),
      stage,
      tap(() => emittedAfter.push(seen)),
      toArray(),
    ),
  );
  assert.equal(emittedAfter[0], 10);
});

test("batches - a size that memory cannot hold is an error that says what to do", async () => {
  await assert.rejects(run({ size: 64, rounds: 2 }, plate("1", 70), 40), {
    message:
      "[too-large] a batch of 64 images of 1 KiB does not fit into half of the 1 KiB that an experiment's pixels may take; raise memoryMiB or use smaller batches",
  });
});

test("batches - the plan orders a plate's sites at random but reproducibly, plate after plate", () => {
  const sites = ["1", "2"].flatMap((name) =>
    Array.from({ length: 20 }, (_, i) => ({ experiment: "HUVEC-01", plate: name, well: "B02", site: i }) as Site),
  );
  const whole: Experiment = { ...experiment, sites };
  const options = (within: string, seed = 0) => batchByExperiment.config.parse({ within, seed });
  const order = batchByExperiment.plan!(options("plate"), whole, sourceServing);
  assert.ok(order.slice(0, 20).every((site) => site.plate === "1"));
  assert.notDeepEqual(order.slice(0, 20), sites.slice(0, 20));
  assert.deepEqual(batchByExperiment.plan!(options("plate"), whole, sourceServing), order);
  assert.notDeepEqual(batchByExperiment.plan!(options("plate", 1), whole, sourceServing), order);
  const mixed = batchByExperiment.plan!(options("experiment"), whole, sourceServing).slice(0, 20);
  assert.equal(new Set(mixed.map((site) => site.plate)).size, 2);
});
