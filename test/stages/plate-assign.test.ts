import assert from "node:assert/strict";
import { test } from "node:test";
import { freeModel } from "../../bench/free-workers.ts";
import {
  type Call,
  type ModelInfo,
  type Strategy,
  seededRandom,
  seededShuffle,
  type WellPrediction,
} from "../../pipeline/plugin.ts";
import { assignOnce } from "../../stages/assignment/assign.ts";
import { placeGroups } from "../../stages/assignment/place-groups.ts";
import { plateAssign } from "../../stages/plate-assign.ts";
import { contextFor, runStage } from "../kit/context.ts";

const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };
/** Classes a..d are treatments in two groups, the last is a control. */
const model: ModelInfo = {
  ...freeModel("HUVEC", 5, 8),
  classes: ["a", "b", "c", "d", "EMPTY"],
  controls: [4],
  plateGroups: [
    [0, 1],
    [2, 3],
  ],
};
const well = (
  plate: string,
  name: string,
  probabilities: number[],
  more: Partial<WellPrediction> = {},
): WellPrediction => ({
  experiment: "HUVEC-01",
  plate,
  well: name,
  wellType: "treatment",
  probabilities: Float32Array.from(probabilities),
  features: new Float32Array(1),
  sites: [1, 2],
  rounds: 1,
  model,
  statistics: "batch",
  metadata: {},
  ...more,
});
const wells = [
  well("1", "B02", [0.9, 0.8, 0.1, 0.1, 0.99]),
  well("1", "B03", [0.7, 0.2, 0.1, 0.1, 0.1]),
  well("2", "B02", [0.3, 0.1, 0.2, 0.6, 0.1]),
  well("2", "B03", [0.1, 0.1, 0.2, 0.7, 0.1]),
];
const call = async (options: Record<string, unknown>, items: WellPrediction[]) => {
  const { context, notes } = contextFor(experiment);
  return { calls: await runStage<"call">(plateAssign, options, items, context), notes };
};
const called = (calls: readonly Call[]) => calls.map(({ sirna }) => sirna).join("");

test("plate-assign - argmax takes each well's most probable treatment, never a control", async () => {
  const { calls } = await call({ strategy: "argmax" }, wells);
  assert.equal(called(calls), "aadd");
  assert.ok(Math.abs(calls[0]!.margin - 0.1) < 1e-6);
});

test("plate-assign - once per experiment gives every class once", async () => {
  const { calls } = await call({ strategy: "once-per-experiment" }, wells);
  assert.equal(called(calls), "bacd");
  assert.ok(calls[0]!.margin < 0, "the class called is less probable than the best open one");
});

test("plate-assign - plate groups leave each plate its own classes", async () => {
  const { calls, notes } = await call({}, wells);
  assert.equal(called(calls), "bacd");
  assert.deepEqual(
    calls.map(({ plateGroup }) => plateGroup),
    [0, 0, 1, 1],
  );
  assert.deepEqual(calls[0]!.byStrategy, { argmax: "a", "once-per-experiment": "b", "plate-groups": "b" });
  assert.deepEqual(
    calls[0]!.alternatives.map(({ sirna }) => sirna),
    ["EMPTY", "a", "b", "c", "d"],
  );
  assert.deepEqual(notes, []);
});

test("plate-assign - a control is called by itself, among all classes, and takes nothing away", async () => {
  const control = well("1", "B04", [0.99, 0, 0, 0, 0.5], { wellType: "negative_control" });
  const { calls } = await call({}, [...wells, control]);
  assert.equal(called(calls), "bacda");
  assert.deepEqual(calls[4]!.flags, ["control"]);
  assert.deepEqual(calls[4]!.byStrategy, {});
});

test("plate-assign - falls back to once per experiment, and says why", async () => {
  const without = wells.map((each) => ({ ...each, model: { ...model, plateGroups: [] } }));
  const crowded = [...wells, well("1", "B04", [0.5, 0.4, 0.1, 0.1, 0])];
  const vague = wells.map((each) => ({ ...each, probabilities: new Float32Array(5).fill(0.5) }));
  const plates = [...wells, well("3", "B02", [0.1, 0.1, 0.1, 0.1, 0])];
  const why = "plate groups were not used, every class is called once per experiment instead:";
  for (const [items, reason] of [
    [without, "the model has none"],
    [crowded, "plate 1 has 3 treatment wells, its group has 2 classes"],
    [vague, "the best placement leads by 0.0000 nats per well, 0.02 are needed"],
    [plates, "3 plates hold treatments, the model has 2 groups"],
  ] as const) {
    const { calls, notes } = await call({}, [...items]);
    assert.deepEqual(notes, [`${why} ${reason}`]);
    assert.ok(calls.every(({ flags, strategy }) => flags.includes("fallback") && strategy === "once-per-experiment"));
  }
});

test("plate-assign - more wells than classes: no class is called more often than it has to be", async () => {
  const many = Array.from({ length: 6 }, (_, i) => well("1", `B0${i + 2}`, [0.9, 0.1, 0.1, 0.1, 0]));
  const { calls } = await call({ strategy: "once-per-experiment" }, many);
  const counts = ["a", "b", "c", "d"].map((name) => calls.filter(({ sirna }) => sirna === name).length);
  assert.deepEqual(counts.sort(), [1, 1, 2, 2]);
});

test("plate-assign - outputs of exactly 0 and 1 do no harm, NaN is an error", async () => {
  const { calls } = await call({ strategy: "once-per-experiment" }, [
    well("1", "B02", [1, 1, 0, 0, 0]),
    well("1", "B03", [0, 0, 0, 0, 0]),
  ]);
  assert.equal(new Set(called(calls)).size, 2);
  await assert.rejects(call({}, [well("1", "B02", [Number.NaN, 0, 0, 0, 0])]), {
    message: "[invalid-model] the probabilities of plate 1 well B02 are not numbers; network free 0 of HUVEC is broken",
  });
});

test("plate-assign - an untrained model and missing sites are flagged; no wells give no calls", async () => {
  const untrained = well("1", "B02", [1, 0, 0, 0, 0], { model: { ...model, trained: false }, sites: [1] });
  const site = { ...(untrained as never as import("../../pipeline/plugin.ts").Site) };
  const { context } = contextFor({ ...experiment, sites: [site, { ...site, site: 2 }] });
  const [only] = await runStage<"call">(plateAssign, { strategy: "argmax" }, [untrained], context);
  assert.deepEqual(only!.flags, ["sites-missing", "untrained"]);
  assert.deepEqual((await call({}, [])).calls, []);
});

test("placeGroups - partial plates are placed; the margin is small where they say little", () => {
  const belief = (group: number) => Float32Array.from([0, 1, 2, 3], (k) => (k >> 1 === group ? 0.8 : 0.2));
  const sure = placeGroups(
    [{ plate: "2", wells: [belief(1)] }],
    [
      [0, 1],
      [2, 3],
    ],
  )!;
  assert.deepEqual([...sure.groupOf], [["2", 1]]);
  const unsure = placeGroups(
    [{ plate: "1", wells: [belief(0), belief(1)] }],
    [
      [0, 1],
      [2, 3],
    ],
  )!;
  assert.ok(Math.abs(unsure.margin) < 1e-9);
  assert.equal(placeGroups([{ plate: "1", wells: [] }], []), undefined);
});

test("assignOnce - finds the best assignment of rectangular scores", () => {
  assert.deepEqual(
    assignOnce([
      [1, 5, 0],
      [2, 9, 0],
    ]),
    [0, 1],
  );
  assert.deepEqual(assignOnce([]), []);
});

test("plate-assign - at RxRx1's size each strategy is better than the one before, and the rotation is found", async () => {
  const random = seededRandom("rxrx1");
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const groups = Array.from({ length: 4 }, (_, g) => Array.from({ length: 277 }, (_, i) => i * 4 + g));
  const big: ModelInfo = { ...freeModel("HUVEC", 1108, 8), plateGroups: groups };
  const items = [2, 3, 0, 1].flatMap((group, p) =>
    seededShuffle(groups[group]!, `${p}`)
      .slice(p)
      .map((truth, i) => {
        const probabilities = Float32Array.from(
          { length: 1108 },
          (_, k) => 1 / (1 + Math.exp(6 - normal() * 1.4 - (k === truth ? 5 : 0))),
        );
        return well(String(p + 1), `B${i}`, [], { probabilities, model: big, sirna: String(truth) });
      }),
  );
  const { calls } = await call({}, items);
  const accuracy = (strategy: Strategy) =>
    calls.filter(({ byStrategy, prediction }) => byStrategy[strategy] === prediction.sirna).length / calls.length;
  const [argmax, once, grouped] = [accuracy("argmax"), accuracy("once-per-experiment"), accuracy("plate-groups")];
  assert.ok(argmax > 0.4 && once > argmax + 0.02 && grouped > once + 0.05, `${argmax} ${once} ${grouped}`);
  assert.deepEqual(
    new Set(calls.map(({ prediction, plateGroup }) => `${prediction.plate} ${plateGroup}`)),
    new Set(["1 2", "2 3", "3 0", "4 1"]),
  );
});
