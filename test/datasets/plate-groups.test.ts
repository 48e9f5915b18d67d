import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, seededShuffle } from "../../common/random.ts";
import { learnPlateGroups } from "../../datasets/plate-groups.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";

const classes = Array.from({ length: 1108 }, (_, k) => String(k));
const groups = Array.from({ length: 4 }, (_, g) => classes.filter((_, k) => k % 4 === g));

/** An experiment whose plate p holds the classes `on(p)`. */
const experiment = (id: string, on: (plate: number) => readonly string[], plates = 4): Experiment => ({
  id,
  cellType: "HUVEC",
  plates: Array.from({ length: plates }, (_, p) => String(p + 1)),
  sites: Array.from({ length: plates }, (_, p) => p).flatMap((p) => [
    ...on(p).map((treatment): Site => siteOf(id, p, treatment)),
    { ...siteOf(id, p, "1138"), wellType: "negative_control" },
  ]),
});
const siteOf = (id: string, p: number, treatment: string): Site => ({
  experiment: id,
  cellType: "HUVEC",
  plate: String(p + 1),
  well: "B02",
  site: 1,
  wellType: "treatment",
  treatment,
  images: [],
  metadata: {},
});
const rotated = (id: string, rotation: number) => experiment(id, (p) => groups[(p + rotation) % 4]!);

test("plate groups - are found in rotated layouts of which 2 % of the wells are missing", () => {
  const random = seededRandom("missing");
  const layouts = [0, 1, 0, 2, 0, 0, 3].map((rotation, e) =>
    experiment(`HUVEC-0${e}`, (p) => groups[(p + rotation) % 4]!.filter(() => random() > 0.02)),
  );
  const learnt = learnPlateGroups(layouts);
  assert.deepEqual(learnt, groups);
});

test("plate groups - one odd experiment does no harm, wherever it stands", () => {
  const order = seededShuffle(classes, "odd");
  const odd = experiment("HUVEC-04", (p) => order.slice(p * 277, (p + 1) * 277));
  const others = [rotated("HUVEC-01", 0), rotated("HUVEC-02", 1), rotated("HUVEC-03", 0)];
  assert.deepEqual(learnPlateGroups([odd, ...others]), groups);
  assert.deepEqual(learnPlateGroups([...others, odd]), groups);
});

test("plate groups - no experiment need hold all plates, and no plate all its classes", () => {
  const holes = (e: number) => (treatment: string) => (Number(treatment) + e) % 5 !== 0;
  const layouts = [0, 1, 2, 3].map((e) =>
    experiment(`RPE-0${e}`, (p) => (p === e ? [] : groups[(p + 1) % 4]!.filter(holes(e)))),
  );
  assert.deepEqual(learnPlateGroups(layouts), groups);
});

test("plate groups - a class that is never seen is in no group", () => {
  const layouts = [0, 1, 3].map((rotation) =>
    experiment(`U2OS-0${rotation}`, (p) => groups[(p + rotation) % 4]!.filter((treatment) => treatment !== "5")),
  );
  assert.deepEqual(learnPlateGroups(layouts), [
    groups[0],
    groups[1]!.filter((treatment) => treatment !== "5"),
    ...groups.slice(2),
  ]);
});

test("plate groups - a class once in a wrong well is put right by the other experiments", () => {
  const swapped = (treatment: string) => (treatment === "0" ? "1" : treatment === "1" ? "0" : treatment);
  const wrong = experiment("HUVEC-01", (p) => groups[p]!.map(swapped));
  assert.deepEqual(learnPlateGroups([wrong, rotated("HUVEC-02", 2), rotated("HUVEC-03", 0)]), groups);
});

test("plate groups - classes that wander between plates have none", () => {
  const layouts = ["a", "b", "c", "d"].map((id) => {
    const order = seededShuffle(classes, id);
    return experiment(id, (p) => order.slice(p * 277, (p + 1) * 277));
  });
  assert.deepEqual(learnPlateGroups(layouts), []);
});

test("plate groups - chance makes none of a few classes on two plates either", () => {
  for (let trial = 0; trial < 200; trial++) {
    const layouts = [1, 2, 3, 4].map((id) => {
      const order = seededShuffle(classes.slice(0, 12), `${trial} ${id}`);
      return experiment(`RPE-0${id}`, (p) => order.slice(p * 6, (p + 1) * 6), 2);
    });
    assert.deepEqual(learnPlateGroups(layouts), []);
  }
});

test("plate groups - a single plate or a single experiment cannot show any", () => {
  assert.deepEqual(learnPlateGroups([rotated("HUVEC-01", 0)]), []);
  const onePlate = (id: string) => experiment(id, () => classes, 1);
  assert.deepEqual(learnPlateGroups([onePlate("a"), onePlate("b")]), []);
  assert.deepEqual(learnPlateGroups([]), []);
});
