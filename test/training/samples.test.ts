import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { allViews, viewOf, writeView } from "../../screen/views.ts";
import { betaDraw, drawView, mixRows } from "../../training/data/augment.ts";
import { epochBatches, type Sample } from "../../training/data/samples.ts";
import { parseRecipe } from "../../training/loop/recipe.ts";

const recipe = parseRecipe({ microBatch: 4 }, "r");

const samples: Sample[] = ["1", "2"].flatMap((plate) =>
  Array.from({ length: plate === "1" ? 11 : 9 }, (_, i) => ({
    site: {
      experiment: "A-01",
      cellType: "A",
      plate,
      well: `B${i}`,
      site: 1,
      wellType: "treatment" as const,
      images: [],
      metadata: {},
    },
    treatment: String(i),
    plate: 0,
  })),
);

test("samples - micro-batches are full and never mix plates", () => {
  const batches = epochBatches(samples, recipe, "s", 0);
  for (const { domain, samples: members } of batches) {
    assert.equal(members.length, 4);
    assert.deepEqual([...new Set(members.map(({ site }) => `A-01 plate ${site.plate}`))], [domain]);
  }
  // 11 images make three batches, one image twice; 9 make two, one image left out.
  assert.deepEqual(batches.map(({ domain }) => domain).sort(), [
    ...new Array(3).fill("A-01 plate 1"),
    ...new Array(2).fill("A-01 plate 2"),
  ]);
});

test("samples - an epoch's order depends on seed, stage and epoch alone", () => {
  const order = (stage: string, epoch: number, seed = 1) =>
    epochBatches(samples, { ...recipe, seed }, stage, epoch).flatMap(({ samples: members }) =>
      members.map(({ site }) => `${site.plate} ${site.well}`),
    );
  assert.deepEqual(order("s", 3), order("s", 3));
  assert.notDeepEqual(order("s", 3), order("s", 4));
  assert.notDeepEqual(order("s", 3), order("t", 3));
  assert.notDeepEqual(order("s", 3), order("s", 3, 2));
});

test("samples - with the domain cell-type a micro-batch may mix plates, and an epoch may be a part", () => {
  const wide = { ...recipe, domain: "cell-type" as const, imagesPerEpoch: 8 };
  const batches = epochBatches(samples, wide, "s", 0);
  assert.equal(batches.length, 2);
  assert.ok(batches.some(({ samples: members }) => new Set(members.map(({ site }) => site.plate)).size > 1));
});

const whole = { height: 3, width: 3, cropHeight: 3, cropWidth: 3 };
const nine = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
const seen = (view: Partial<Parameters<typeof writeView>[3]>, size = whole) => {
  const target = new Uint8Array(size.cropHeight * size.cropWidth);
  writeView(target, 0, nine, { turns: 0, hflip: false, vflip: false, top: 0, left: 0, ...view }, size);
  return [...target];
};

test("views - a square has eight, all different, and the first is the picture; another rectangle four", () => {
  const pair = Uint8Array.of(...nine, ...nine.toReversed());
  const views = allViews(3, 3).map((view) => viewOf(pair, view, [2, 1, 3, 3]));
  assert.deepEqual(views[0], pair);
  assert.equal(new Set(views.map(String)).size, 8);
  assert.deepEqual([...views[1]!], [3, 2, 1, 6, 5, 4, 9, 8, 7, 7, 8, 9, 4, 5, 6, 1, 2, 3]);
  const six = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const flat = allViews(2, 3).map((view) => [...viewOf(six, view, [1, 1, 2, 3])]);
  assert.deepEqual(flat, [
    [1, 2, 3, 4, 5, 6],
    [3, 2, 1, 6, 5, 4],
    [6, 5, 4, 3, 2, 1],
    [4, 5, 6, 1, 2, 3],
  ]);
});

test("augment - quarter turns, mirrors and crops move pixels where they belong", () => {
  assert.deepEqual(seen({}), [...nine]);
  assert.deepEqual(seen({ hflip: true }), [3, 2, 1, 6, 5, 4, 9, 8, 7]);
  assert.deepEqual(seen({ vflip: true }), [7, 8, 9, 4, 5, 6, 1, 2, 3]);
  assert.deepEqual(seen({ turns: 1 }), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
  assert.deepEqual(seen({ turns: 2 }), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.deepEqual(seen({ turns: 3 }), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
  assert.deepEqual(seen({ top: 1, left: 1, turns: 1 }, { ...whole, cropHeight: 2, cropWidth: 2 }), [6, 9, 5, 8]);
});

test("augment - all eight views of a square occur, and none when augmentation is off", () => {
  const random = seededRandom("views");
  const views = (augment: Parameters<typeof drawView>[1]["augment"]) =>
    new Set(Array.from({ length: 200 }, () => seen(drawView(random, { ...whole, augment })).join()));
  assert.equal(views({ rot90: true, hflip: true, vflip: true }).size, 8);
  assert.equal(views({ rot90: false, hflip: false, vflip: false }).size, 1);
});

test("augment - MixUp mixes rows with their partners", () => {
  assert.deepEqual([...mixRows(Uint8Array.of(0, 100, 200, 50), [1, 0], 0.75)], [50, 88, 150, 63]);
  assert.deepEqual([...mixRows(Float32Array.of(1, 0, 0, 1), [1, 0], 0.75)], [0.75, 0.25, 0.25, 0.75]);
});

test("augment - MixUp's shares follow Beta(alpha, alpha)", () => {
  const random = seededRandom("beta");
  for (const [alpha, variance] of [
    [0.2, 1 / 5.6],
    [1, 1 / 12],
    [4, 1 / 36],
  ] as const) {
    const draws = Array.from({ length: 20_000 }, () => betaDraw(random, alpha));
    const mean = draws.reduce((sum, x) => sum + x) / draws.length;
    const spread = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    assert.ok(Math.abs(mean - 0.5) < 0.01, `alpha ${alpha}: mean ${mean}`);
    assert.ok(Math.abs(spread / variance - 1) < 0.05, `alpha ${alpha}: variance ${spread}, expected ${variance}`);
  }
});
