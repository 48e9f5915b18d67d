import assert from "node:assert/strict";
import { test } from "node:test";
import { linearDiscriminant, logitsOf } from "../../training/loop/discriminant.ts";

const rows = [
  [1, 2],
  [2, 4],
  [0, 1],
  [5, 1],
  [6, 2],
  [7, 3],
  [3, 8],
  [4, 7],
  [2, 6],
].map((features, i) => ({ features: Float32Array.from(features), label: Math.floor(i / 3) }));

const rounded = (values: ArrayLike<number>) => Array.from(values, (value) => Number(value.toFixed(4)));

test("discriminant - weights, biases and logits are those that NumPy finds", () => {
  const classifier = linearDiscriminant(rows, 3, { shrinkage: 0.2, temperature: 2 });
  assert.deepEqual(rounded(classifier.weight), [-1.9257, 0.3266, 4.7027, -3.6396, -2.777, 3.3131]);
  assert.deepEqual(rounded(classifier.bias), [-2.6148, -17.2207, -14.849]);
  assert.deepEqual(rounded(logitsOf(classifier, Float32Array.of(3, 3))), [-7.4121, -14.0315, -13.2409]);
});

test("discriminant - fewer images than features are enough", () => {
  const wide = [0, 0, 1, 1].map((label, i) => ({
    label,
    features: Float32Array.from({ length: 12 }, (_, f) => Math.sin(i + f) + (f === 0 ? 10 * label : 0)),
  }));
  const classifier = linearDiscriminant(wide, 2, { shrinkage: 0.1, temperature: 1 });
  for (const { features, label } of wide) {
    const [first, second] = logitsOf(classifier, features);
    assert.equal(Number(second! > first!), label);
  }
});

test("discriminant - a class without an image is refused", () => {
  assert.throws(() => linearDiscriminant(rows, 4, { shrinkage: 0.2, temperature: 2 }), { code: "invalid-data" });
});
