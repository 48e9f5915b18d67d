import assert from "node:assert/strict";
import { test } from "node:test";
import { assignCopies, assignOnce } from "../../common/assignment/assign.ts";
import { assignByCapacity } from "../../common/assignment/assign-by-capacity.ts";
import { balance } from "../../common/assignment/balance.ts";
import {
  calibrationError,
  confidenceOf,
  fitConfidence,
  reliability,
  unfitted,
} from "../../common/assignment/confidence.ts";
import { seededRandom } from "../../common/random.ts";

const near = (actual: number, expected: number, within = 1e-3) =>
  assert.ok(Math.abs(actual - expected) < within, `${actual} is not ${expected}`);

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

test("balance - two wells and two classes: the probabilities of the two assignments", () => {
  // Odds of 1 : 3 and 1 : 1 for class 0; the assignments 01 and 10 have the weights 1/4 x 1/2 and 3/4 x 1/2.
  const rows = [Float64Array.of(Math.log(1), Math.log(3)), Float64Array.of(0, 0)];
  const [first, second] = balance(rows, { open: rows.map(() => [0, 1]) }, 1);
  near(sum(first!), 1);
  near(first![0]! + second![0]!, 1);
  // Sinkhorn's matrix has the odds ratio of the beliefs: (p / (1 - p)) ** 2 = 1 / 3.
  near(first![0]!, 1 / (1 + Math.sqrt(3)));
});

test("balance - rows add up to 1 and columns to the copies, with closed classes and missing wells", () => {
  const random = seededRandom("balance");
  const rows = Array.from({ length: 7 }, () => Float64Array.from({ length: 6 }, () => 4 * random()));
  const open = rows.map((_, w) => (w < 3 ? [0, 1, 2] : [2, 3, 4]));
  const balanced = balance(rows, { open, copies: [1, 2, 2, 2, 1] }, 2);
  for (const [w, row] of balanced.entries()) {
    near(sum(row), 1);
    assert.ok(row.every((p, k) => p === 0 || open[w]!.includes(k)));
  }
  for (const [k, most] of [1, 2, 2, 2, 1, 0].entries()) assert.ok(sum(balanced.map((row) => row[k]!)) < most + 0.02);
});

test("balance - more wells than classes share them alike", () => {
  const rows = Array.from({ length: 4 }, () => new Float64Array(2));
  const balanced = balance(rows, { open: rows.map(() => [0, 1]) }, 1);
  for (const row of balanced) near(row[0]!, 0.5);
});

test("assign - a class with two copies is given twice, others once", () => {
  const rows = [3, 2, 1].map((score) => Float64Array.of(score, 0, -1));
  assert.deepEqual(assignCopies(rows, [0, 1, 2], [2]), [0, 0, 1]);
  assert.deepEqual(assignCopies(rows, [0, 2], []).toSorted(), [0, 0, 2], "three wells, two classes");
});

test("assign - what is not a number is refused, not waited for", () => {
  assert.throws(() => assignOnce([Float64Array.of(Number.NaN, 1), Float64Array.of(0, 1)]), /finite scores only/);
});

test("confidence - an overconfident network is brought to what it gets right", () => {
  const random = seededRandom("overconfident");
  const draw = () => {
    const claimed = 0.5 + 0.499 * random();
    const logit = Math.log(claimed / (1 - claimed));
    return { claimed, right: random() < 1 / (1 + Math.exp(-0.5 * logit)) };
  };
  const [learnt, fresh] = [Array.from({ length: 2000 }, draw), Array.from({ length: 2000 }, draw)];
  const fit = fitConfidence([
    { right: learnt.map(({ right }) => right), balanced: () => learnt.map((e) => e.claimed) },
  ]);
  near(fit.slope, 0.5, 0.12);
  const error = (of: (claimed: number) => number) =>
    calibrationError(reliability(fresh.map(({ claimed, right }) => ({ confidence: of(claimed), right }))));
  assert.ok(error((claimed) => claimed) > 0.1);
  assert.ok(error((claimed) => confidenceOf(claimed, fit)) < 0.03);
});

test("confidence - nothing is fitted to calls that are all right, or too few", () => {
  const all = { right: new Array<boolean>(100).fill(true), balanced: () => new Array<number>(100).fill(0.9) };
  assert.equal(fitConfidence([all]), unfitted);
  assert.equal(fitConfidence([{ right: [true, false], balanced: () => [0.5, 0.5] }]), unfitted);
});

test("assignByCapacity - the sum is that of the assignment to copies of the columns, and no column is overfull", () => {
  const random = seededRandom("scores");
  for (const [rows, capacity] of [
    [1, [1]],
    [7, [3, 1, 4]],
    [40, [10, 10, 10, 10]],
    [60, [1, 2, 3, 30, 40, 50]],
    [96, Array.from({ length: 24 }, () => 4)],
  ] as const) {
    const scores = Array.from({ length: rows }, () => Float64Array.from(capacity, () => random() - 0.5));
    const given = assignByCapacity(scores, capacity);
    for (const [k, most] of capacity.entries()) assert.ok(given.filter((each) => each === k).length <= most);
    const columns = capacity.flatMap((count, k) => new Array<number>(count).fill(k));
    const once = assignOnce(scores.map((row) => Float64Array.from(columns, (k) => row[k]!)));
    const total = (columnOf: (row: number) => number) => scores.reduce((sum, row, r) => sum + row[columnOf(r)]!, 0);
    assert.ok(Math.abs(total((r) => given[r]!) - total((r) => columns[once[r]!]!)) < 1e-9, `${rows} rows`);
  }
  assert.throws(() => assignByCapacity([new Float64Array([1]), new Float64Array([1])], [1]), { code: "internal" });
});
