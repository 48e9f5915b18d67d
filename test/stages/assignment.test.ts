import assert from "node:assert/strict";
import { test } from "node:test";
import { assignOnce, evidence } from "../../common/assignment/assign.ts";
import { placeGroups } from "../../common/assignment/place-groups.ts";
import { seededRandom } from "../../common/random.ts";

const rows = (...scores: number[][]) => scores.map((row) => Float64Array.from(row));

const permutations = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));

test("assignOnce - finds the best assignment, whether wide, square or tall", () => {
  assert.deepEqual(assignOnce(rows([1, 5, 0], [2, 9, 0])), [0, 1]);
  assert.deepEqual(assignOnce(rows([1, 5], [2, 9])), [0, 1]);
  assert.deepEqual(assignOnce(rows([1, 5], [2, 9], [8, 0])), [1, 1, 0]);
  assert.deepEqual(assignOnce([]), []);
});

test("assignOnce - is never beaten by trying all", () => {
  const random = seededRandom("assignments");
  for (let trial = 0; trial < 30; trial++) {
    const scores = Array.from({ length: 5 }, () => Float64Array.from({ length: 5 }, random));
    const total = (columns: readonly number[]) => columns.reduce((sum, column, row) => sum + scores[row]![column]!, 0);
    const best = Math.max(...permutations([0, 1, 2, 3, 4]).map(total));
    assert.ok(Math.abs(total(assignOnce(scores)) - best) < 1e-12);
  }
});

test("evidence - is the logit, finite at 0 and 1", () => {
  const [zero, half, one] = evidence(Float32Array.of(0, 0.5, 1));
  assert.equal(half, 0);
  assert.ok(Math.abs(zero! + 16.118) < 1e-3 && Math.abs(one! - 16.118) < 1e-3);
});

/** Two classes per group; well i of a plate shows class i of the plate's group. */
const groups = [0, 1, 2, 3].map((group) => [group * 2, group * 2 + 1]);
const showing = (group: number, strength = 4, liked?: number) =>
  [0, 1].map((i) =>
    Float64Array.from({ length: 8 }, (_, k) => (k === group * 2 + i ? strength : 0) + (k === liked ? 20 : 0)),
  );

test("placeGroups - finds every placement of four groups on four plates, rotation or not", () => {
  for (const placement of permutations([0, 1, 2, 3])) {
    const plates = placement.map((group, p) => ({ plate: String(p + 1), wells: showing(group) }));
    const { groupOf, margin } = placeGroups(plates, groups)!;
    assert.deepEqual([...groupOf.values()], placement);
    // all wells of the two plates that the next placement swaps agree
    assert.ok(Math.abs(margin - Math.sqrt(4)) < 1e-9);
  }
});

test("placeGroups - a class that a network prefers in every well of a plate says nothing", () => {
  const plates = [2, 3, 0, 1].map((group, p) => ({ plate: String(p + 1), wells: showing(group, 4, p * 2) }));
  assert.deepEqual([...placeGroups(plates, groups)!.groupOf.values()], [2, 3, 0, 1]);
});

test("placeGroups - works with the plates that are there", () => {
  const plates = [
    { plate: "2", wells: showing(3) },
    { plate: "4", wells: showing(1) },
  ];
  assert.deepEqual(
    [...placeGroups(plates, groups)!.groupOf],
    [
      ["2", 3],
      ["4", 1],
    ],
  );
});

test("placeGroups - wells that say nothing, or contradict each other, give no lead", () => {
  const silent = [{ plate: "1", wells: showing(0, 0) }];
  assert.equal(placeGroups(silent, groups)!.margin, 0);
  const torn = [{ plate: "1", wells: [...showing(0), ...showing(1)] }];
  assert.ok(Math.abs(placeGroups(torn, groups)!.margin) < 1e-9);
});

test("placeGroups - more plates than groups, fewer than two groups or no plates have no placement", () => {
  const plates = ["1", "2", "3"].map((plate) => ({ plate, wells: showing(0) }));
  assert.equal(placeGroups(plates, groups.slice(0, 2)), undefined);
  assert.equal(placeGroups(plates.slice(0, 1), groups.slice(0, 1)), undefined);
  assert.equal(placeGroups([], groups), undefined);
});
