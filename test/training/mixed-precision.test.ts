import assert from "node:assert/strict";
import { test } from "node:test";
import { architectureSchema } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import { type OnnxSessions, onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { trainingGraph } from "../../training/gradients/graphs.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { adamDefaults } from "../../training/learner/adam.ts";
import { flatten } from "../../training/learner/flat.ts";
import { type LearnerOptions, openLearner } from "../../training/learner/learner.ts";
import { freshLossScale, growthInterval, nextLossScale } from "../../training/learner/loss-scale.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";

const architecture = architectureSchema.parse({
  growth: 4,
  blocks: [1, 2],
  init: 8,
  bottleneck: 2,
  stem: "small",
  channels: 2,
  height: 16,
  width: 16,
  classes: 3,
});
const options: LearnerOptions = {
  architecture,
  images: 4,
  precision: "float16",
  loss: lossSchema.parse({}),
  optimiser: { ...adamDefaults, amsgrad: true },
  averaging: 0,
  learns: "network",
  evaluationImages: 4,
  divisor: 1,
  threads: 1,
};
const batch = {
  pixels: Uint8Array.from({ length: 4 * 2 * 256 }, (_, i) => (i * 37) % 251),
  scale: new Float32Array(8).fill(1 / 255),
  offset: new Float32Array(8),
  plate: new Float32Array(),
  target: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0),
};

/** A provider with half precision, to all appearances: the CPU computes halves by way of floats. */
const halves = (): OnnxSessions => ({ ...onnxSessions("cpu"), provider: "cuda" });

const open = (precision: "float32" | "float16", resumed?: Parameters<typeof openLearner>[3]) =>
  openLearner(
    onnxTraining(halves(), 1),
    { ...options, precision },
    flatten(architecture, initialWeights(architecture, 1), "w"),
    resumed,
  );

test("mixed precision - the gradient graph computes in halves and learns the same as in floats", async () => {
  const [half, single] = [open("float16"), open("float32")];
  for (const learner of [half, single])
    for (let step = 0; step < 8; step++) {
      await learner.accumulate(batch);
      assert.equal(await learner.update(1e-3), true);
    }
  const [a, b] = [await half.accumulate(batch), await single.accumulate(batch)];
  assert.ok(Math.abs(a / b - 1) < 0.02, `loss ${a} in halves, ${b} in floats`);
  await half.close();
  await single.close();
});

test("mixed precision - a step that overflows is skipped and the scale halved", async () => {
  const fresh = open("float16");
  const { adam } = await fresh.state();
  await fresh.close();
  const learner = open("float16", { adam, lossScale: { scale: 2 ** 40, goodSteps: 3 }, average: new Float32Array() });
  const before = (await learner.state()).network.weights;
  await learner.accumulate(batch);
  assert.equal(await learner.update(1e-3), false);
  const { network, lossScale } = await learner.state();
  assert.deepEqual(network.weights, before);
  assert.deepEqual(lossScale, { scale: 2 ** 39, goodSteps: 0 });
  await learner.close();
});

test("mixed precision - the scale doubles after enough good steps, and stays 1 in floats", () => {
  let scale = freshLossScale("float16");
  for (let step = 0; step < growthInterval; step++) scale = nextLossScale(scale, "float16", true);
  assert.deepEqual(scale, { scale: 2 ** 17, goodSteps: 0 });
  assert.equal(nextLossScale(freshLossScale("float32"), "float32", false).scale, 1);
});

test("gradient graph - with the head alone learning, the backward pass stops behind the features", () => {
  const whole = trainingGraph({ ...options, precision: "float32" }, () => true);
  const head = trainingGraph({ ...options, precision: "float32" }, (name) => name.startsWith("classifier."));
  assert.deepEqual(
    head.learning.map(({ name }) => name),
    ["classifier.weight", "classifier.bias"],
  );
  const mentions = (model: Uint8Array, operation: string) => Buffer.from(model).toString("latin1").includes(operation);
  assert.ok(mentions(whole.model, "ScatterElements") && mentions(whole.model, "HardSigmoid"));
  assert.ok(!mentions(head.model, "ScatterElements") && !mentions(head.model, "HardSigmoid"));
});
