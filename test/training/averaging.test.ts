/** The moving average of a network's weights: short while there is little to average, and what is measured and predicts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { architectureSchema } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { adamDefaults } from "../../training/learner/adam.ts";
import { flatten } from "../../training/learner/flat.ts";
import { type LearnerOptions, openLearner } from "../../training/learner/learner.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";

test("averaging - after every step the average keeps its share, and predicts in the place of the weights", async () => {
  const shape = { growth: 4, blocks: [1, 1], init: 8, bottleneck: 2, stem: "small", channels: 1, classes: 2 };
  const architecture = architectureSchema.parse({ ...shape, height: 16, width: 16 });
  const random = seededRandom("averaging");
  const images = {
    pixels: Uint8Array.from({ length: 2 * 256 }, () => 256 * random()),
    scale: Float32Array.of(1 / 255, 1 / 255),
    offset: new Float32Array(2),
    plate: new Float32Array(),
  };
  const options: LearnerOptions = {
    architecture,
    images: 2,
    precision: "float32",
    loss: lossSchema.parse({}),
    optimiser: { ...adamDefaults, amsgrad: false },
    averaging: 0.25,
    divisor: 1,
    learns: "network",
    evaluationImages: 2,
    threads: 1,
  };
  const network = flatten(architecture, initialWeights(architecture, 1), "the test");
  const runtime = onnxTraining(onnxSessions("cpu"), 1);
  const learner = openLearner(runtime, options, network);
  let expected = network.weights.slice();
  for (let step = 1; step <= 4; step++) {
    await learner.accumulate({ ...images, target: Float32Array.of(1, 0, 0, 1) });
    await learner.update(0.01);
    const keep = Math.min(0.25, (1 + step) / (10 + step));
    const { network: moved, average } = await learner.state();
    expected = expected.map((value, i) => keep * value + (1 - keep) * moved.weights[i]!);
    const off = Math.max(...expected.map((value, i) => Math.abs(value - average[i]!)));
    assert.ok(off < 1e-6, `step ${step}: the average is off by ${off}`);
  }
  const { average } = await learner.state();
  const predicted = await learner.predict(images, network);
  await learner.close();
  const averaged = openLearner(runtime, { ...options, averaging: 0 }, { ...network, weights: average });
  const { logits } = await averaged.predict(images, network);
  await averaged.close();
  assert.deepEqual(predicted.logits, logits);
  assert.ok(network.weights.some((weight, i) => weight !== average[i]));
});
