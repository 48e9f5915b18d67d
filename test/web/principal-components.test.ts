import assert from "node:assert/strict";
import { test } from "node:test";
import { principalComponents } from "../../web/server/principal-components.ts";

test("principal components - a long and a short axis are found, with their shares of the variance", async () => {
  const rows = 400;
  const values = new Float32Array(rows * 3);
  for (let row = 0; row < rows; row++) {
    const long = 10 * Math.cos((2 * Math.PI * row) / rows);
    const short = 2 * Math.sin((2 * Math.PI * row) / rows);
    values.set([5 + 0.6 * long - 0.8 * short, 1 + 0.8 * long + 0.6 * short, 7], row * 3);
  }
  const { scores, explained } = await principalComponents(values, 3, Float64Array.of(5, 1, 7), 2);
  assert.ok(Math.abs(explained[0]! - 100 / 104) < 1e-6, `${explained[0]}`);
  assert.ok(Math.abs(explained[1]! - 4 / 104) < 1e-6, `${explained[1]}`);
  assert.ok(Math.abs(scores[0]! - 10) < 1e-4 && Math.abs(scores[1]!) < 1e-4, `${scores[0]}, ${scores[1]}`);
});

test("principal components - values that are all equal have none, and no NaN", async () => {
  const { scores, explained } = await principalComponents(new Float32Array(12).fill(2), 3, Float64Array.of(2, 2, 2), 2);
  assert.deepEqual([...scores, ...explained], new Array(10).fill(0));
});
