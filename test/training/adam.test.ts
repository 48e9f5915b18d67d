/** Steps of the optimiser against those of PyTorch's AdamW and RAdam, from the same gradients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdamOptions, adamDefaults, adamState, adamUpdate } from "../../training/learner/adam.ts";

const after = (changes: Partial<AdamOptions>): number[] => {
  const options: AdamOptions = { ...adamDefaults, amsgrad: false, ...changes };
  const weights = Float32Array.of(0.5, -1, 2, 0.1);
  const state = adamState(4, options);
  for (let t = 1; t <= 10; t++) {
    const gradient = Float32Array.from({ length: 4 }, (_, i) => Math.sin(t * (i + 1)) / t + 0.05 * i);
    adamUpdate(weights, gradient, state, [{ offset: 0, length: 4 }], 0.05, options);
  }
  return Array.from(weights, (weight) => Number(weight.toFixed(5)));
};

for (const [name, options, expected] of [
  ["weight decay", { weightDecay: 0.1, beta2: 0.9 }, [0.227267, -1.140375, 1.575006, 0.029022]],
  [
    "weight decay and AMSGrad",
    { weightDecay: 0.1, beta2: 0.9, amsgrad: true },
    [0.248735, -1.122349, 1.581721, 0.043698],
  ],
  ["RAdam", { rectified: true }, [0.383643, -1.089452, 1.95903, 0.116026]],
  ["RAdam with short second moments", { rectified: true, beta2: 0.9 }, [0.357136, -1.115484, 1.904293, 0.082908]],
] as const)
  test(`adam - ${name}: the weights after ten steps are PyTorch's`, () => {
    const weights = after(options);
    for (const [i, weight] of weights.entries())
      assert.ok(Math.abs(weight - expected[i]!) < 2e-5, `${weights} where PyTorch has ${expected}`);
  });
