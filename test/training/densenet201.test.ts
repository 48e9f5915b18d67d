/** The largest of the source's networks learns two steps on small pictures, and a worker's runtime computes what it learnt. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { packStatistics } from "../../common/norm-statistics.ts";
import { seededRandom } from "../../common/random.ts";
import { architectureSchema, normLayers, variants } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { findRuntime } from "../../gpu-worker/runtime/runtimes.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { adamDefaults } from "../../training/learner/adam.ts";
import { flatten, unflatten } from "../../training/learner/flat.ts";
import { type LabelledImages, openLearner } from "../../training/learner/learner.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";

test("DenseNet-201 - learns, and its predictions are the same in training and in a worker", async () => {
  const [images, channels, side, classes] = [2, 6, 32, 3];
  const architecture = architectureSchema.parse({
    ...variants.densenet201,
    channels,
    height: side,
    width: side,
    classes,
  });
  const network = flatten(architecture, initialWeights(architecture, 1), "the test");
  const random = seededRandom("densenet201");
  const batch: LabelledImages = {
    pixels: Uint8Array.from({ length: images * channels * side * side }, () => 256 * random()),
    scale: new Float32Array(images * channels).fill(1 / 255),
    offset: new Float32Array(images * channels),
    plate: new Float32Array(),
    target: Float32Array.of(1, 0, 0, 0, 0, 1),
  };
  const learner = openLearner(
    onnxTraining(onnxSessions("cpu"), 2),
    {
      architecture,
      images,
      precision: "float32",
      loss: lossSchema.parse({ kind: "cross-entropy" }),
      optimiser: { ...adamDefaults, amsgrad: true },
      averaging: 0,
      divisor: 1,
      learns: "network",
      evaluationImages: images,
      threads: 2,
    },
    network,
  );
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) {
    losses.push(await learner.accumulate(batch));
    await learner.update(1e-4);
  }
  assert.ok(losses[2]! < losses[0]!, `losses ${losses}`);
  const { logits } = await learner.predict(batch, network);
  await learner.close();

  const weights = unflatten(architecture, network);
  const runtime = await (await findRuntime("onnxruntime")).open("cpu", { threads: 2, precision: "float32" });
  const opened = await runtime.open({ architecture, weights }, "fixed", "uint8");
  const shape = [images, channels, side, side];
  const served = await opened.run({ ...batch, shape, statistics: packStatistics(normLayers(architecture), weights) });
  await opened.close();
  const most = Math.max(...logits.map(Math.abs));
  for (const [k, logit] of logits.entries())
    assert.ok(Math.abs(logit - served.logits![k]!) < 1e-3 * most, `logits ${logits}, served ${served.logits}`);
});
