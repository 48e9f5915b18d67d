import assert from "node:assert/strict";
import { test } from "node:test";
import { type SyntheticOptions, syntheticParameters } from "../../../datasets/synthetic/parameters.ts";
import { effectOf } from "../../../datasets/synthetic/phenotype.ts";
import { type Plan, planExperiment } from "../../../datasets/synthetic/plan.ts";

const names = Array.from({ length: 40 }, (_, index) => `HUVEC-${String(index + 1).padStart(2, "0")}`);
const plansOf = (options: SyntheticOptions): Plan[] =>
  names.map((name) => planExperiment(syntheticParameters.parse(options), name));

const treatmentsOf = ({ plates }: Plan): string[] =>
  plates.map(({ wells }) =>
    wells
      .filter(({ wellType }) => wellType === "treatment")
      .map(({ treatment }) => treatment)
      .sort((a, b) => a - b)
      .join(" "),
  );

test("every experiment holds each treatment once, and every plate one of four groups, rotated", () => {
  const layouts = plansOf({ classes: 5 }).map(treatmentsOf);
  const groups = layouts[0]!;
  assert.deepEqual(
    groups.flatMap((group) => group.split(" ").map(Number)).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, treatment) => treatment),
  );
  const rotations = layouts.map((layout) => {
    const rotation = groups.indexOf(layout[0]!);
    assert.deepEqual(
      layout,
      groups.map((_, plate) => groups[(plate + rotation) % 4]),
    );
    return rotation;
  });
  assert.deepEqual([...new Set(rotations)].sort(), [0, 1, 2, 3]);
});

test("the wells of a class differ from experiment to experiment", () => {
  const wells = plansOf({}).map(
    ({ plates }) => plates.flatMap((plate) => plate.wells).find(({ treatment }) => treatment === 0)!.well,
  );
  assert.ok(new Set(wells).size > 10);
});

test("a full plate fills the inner 308 wells of a 384-well plate, and classes are numbered as in RxRx1", () => {
  const [plan] = plansOf({ classes: 277, positiveControls: 30 });
  const { wells } = plan!.plates[3]!;
  assert.equal(wells.length, 308);
  assert.equal(wells[0]!.well, "B02");
  assert.equal(wells.at(-1)!.well, "O23");
  const numbers = (wellType: string) =>
    wells.filter((well) => well.wellType === wellType).map(({ treatment }) => treatment);
  assert.deepEqual(numbers("negative_control"), [1138]);
  assert.equal(Math.min(...numbers("positive_control")), 1108);
  assert.equal(Math.max(...numbers("positive_control")), 1137);
});

test("failed treatments are gone or untreated, and the wells that stay keep their place", () => {
  const whole = plansOf({ classes: 24 });
  const untidy = plansOf({ classes: 24, missingWells: 0.1, missingSites: 0.05 });
  const count = (plans: readonly Plan[], wellType: string) =>
    plans.flatMap(({ plates }) => plates.flatMap(({ wells }) => wells)).filter((well) => well.wellType === wellType)
      .length;
  const failed = count(whole, "treatment") - count(untidy, "treatment");
  const untreated = count(untidy, "negative_control") - count(whole, "negative_control");
  assert.ok(failed > 0.07 * 3840 && failed < 0.13 * 3840, `${failed} failed`);
  assert.ok(untreated > 0.1 * failed && untreated < 0.3 * failed, `${untreated} of ${failed} untreated`);
  const placeOf = (plan: Plan) =>
    new Map(
      plan.plates.flatMap(({ plate, wells }) => wells.map(({ well, treatment }) => [`${plate}${well}`, treatment])),
    );
  for (const [index, plan] of untidy.entries()) {
    const before = placeOf(whole[index]!);
    for (const [place, treatment] of placeOf(plan)) assert.ok(treatment === before.get(place) || treatment === 103);
  }
  const single = untidy
    .flatMap(({ plates }) => plates.flatMap(({ wells }) => wells))
    .filter((w) => w.sites.length === 1);
  assert.ok(single.length > 200);
});

test("untreated cells have no phenotype; that of a class depends on cell type and seed only", () => {
  const parameters = syntheticParameters.parse({});
  assert.ok(effectOf(parameters, "HUVEC", 103, "negative_control").every((shift) => Math.abs(shift) === 0));
  const effect = effectOf(parameters, "HUVEC", 3, "treatment");
  assert.deepEqual(effectOf(syntheticParameters.parse({ size: 512, classes: 9 }), "HUVEC", 3, "treatment"), effect);
  assert.notDeepEqual(effectOf(parameters, "RPE", 3, "treatment"), effect);
  assert.notDeepEqual(effectOf(syntheticParameters.parse({ seed: 2 }), "HUVEC", 3, "treatment"), effect);
});
