import assert from "node:assert/strict";
import { test } from "node:test";
import { learnPlateGroups } from "../../datasets/plate-groups.ts";
import { type Experiment, type Site, seededRandom, seededShuffle } from "../../pipeline/plugin.ts";

const classes = Array.from({ length: 1108 }, (_, k) => String(k));
const groups = Array.from({ length: 4 }, (_, g) => classes.filter((_, k) => k % 4 === g));

/** An experiment whose plate p holds the classes `on(p)`. */
const experiment = (id: string, on: (plate: number) => readonly string[], plates = 4): Experiment => ({
  id,
  cellType: "HUVEC",
  plates: Array.from({ length: plates }, (_, p) => String(p + 1)),
  sites: Array.from({ length: plates }, (_, p) => p).flatMap((p) => [
    ...on(p).map((sirna): Site => siteOf(id, p, sirna)),
    { ...siteOf(id, p, "1138"), wellType: "negative_control" },
  ]),
});
const siteOf = (id: string, p: number, sirna: string): Site => ({
  experiment: id,
  cellType: "HUVEC",
  plate: String(p + 1),
  well: "B02",
  site: 1,
  wellType: "treatment",
  sirna,
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

test("plate groups - one odd experiment does no harm", () => {
  const odd = seededShuffle(classes, "odd");
  const layouts = [
    rotated("HUVEC-01", 0),
    rotated("HUVEC-02", 1),
    rotated("HUVEC-03", 0),
    experiment("HUVEC-04", (p) => odd.slice(p * 277, (p + 1) * 277)),
  ];
  assert.deepEqual(learnPlateGroups(layouts), groups);
});

test("plate groups - classes that wander between plates have none", () => {
  const layouts = ["a", "b", "c", "d"].map((id) => {
    const order = seededShuffle(classes, id);
    return experiment(id, (p) => order.slice(p * 277, (p + 1) * 277));
  });
  assert.deepEqual(learnPlateGroups(layouts), []);
});

test("plate groups - a single plate or a single experiment cannot show any", () => {
  assert.deepEqual(learnPlateGroups([rotated("HUVEC-01", 0)]), []);
  const onePlate = (id: string) => experiment(id, () => classes, 1);
  assert.deepEqual(learnPlateGroups([onePlate("a"), onePlate("b")]), []);
  assert.deepEqual(learnPlateGroups([]), []);
});
