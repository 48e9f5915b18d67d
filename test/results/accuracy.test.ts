import assert from "node:assert/strict";
import { test } from "node:test";
import { type ScoredWell, scoreWells, totalAccuracies } from "../../pipeline/results/accuracy.ts";

const well = (
  treatment: string | undefined,
  argmax?: string,
  wellType: ScoredWell["wellType"] = "treatment",
): ScoredWell => ({
  wellType,
  ...(treatment === undefined ? {} : { treatment }),
  called: argmax === undefined ? {} : { argmax },
});

test("accuracy counts treatment wells whose treatment is known", () => {
  const wells = [well("1", "1"), well("2", "3"), well(undefined, "1"), well("1108", "1108", "positive_control")];
  assert.deepEqual(scoreWells(wells), { argmax: { n: 2, correct: 1, accuracy: 0.5 } });
});

test("a well without a call counts as wrong", () => {
  assert.deepEqual(scoreWells([well("1", "1"), well("2"), well("3"), well("4")]), {
    argmax: { n: 4, correct: 1, accuracy: 0.25 },
  });
});

test("a strategy that called no well has no accuracy, nor have wells of unknown treatment", () => {
  assert.deepEqual(scoreWells([well("1")]), {});
  assert.deepEqual(scoreWells([well(undefined, "1")]), {});
});

test("the total weighs wells, not experiments, and skips experiments that a strategy did not call", () => {
  const half = { n: 2, correct: 1, accuracy: 0.5 };
  const all = { n: 6, correct: 6, accuracy: 1 };
  assert.deepEqual(totalAccuracies([{ argmax: half, "plate-groups": half }, { argmax: all }, {}]), {
    argmax: { n: 8, correct: 7, accuracy: 7 / 8 },
    "plate-groups": half,
  });
});
