/** Training with TensorFlow.js: PyTorch's numbers where the backend has the gradients, a word where it has not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { relativeError } from "../../gpu-worker/runtime/self-check.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { tensorFlowTraining } from "../../training/gradients/tensorflow.ts";
import { checkTraining } from "../../training/learner/check-provider.ts";
import { flatten } from "../../training/learner/flat.ts";
import { openRemoteLearner } from "../../training/learner/remote-learner.ts";
import { parityCase } from "../gpu-worker/parity-case.ts";
import { useSwiftShader } from "../kit/swiftshader.ts";
import { gradientsOf, learnerOptions } from "./training-suite.ts";

useSwiftShader();
const timeout = 240_000;
const webgpu = await tensorFlowTraining("webgpu", 1);

// Adam's steps are the learner's own, whatever computes; here they would take minutes.
for (const name of ["tiny", "tiny-plates"]) {
  test(`training on tfjs-webgpu - loss and every gradient of ${name} are PyTorch's`, { timeout }, () =>
    gradientsOf(name, webgpu),
  );
}

const { architecture, weights } = parityCase("tiny-plates");
const network = () => flatten(architecture, weights, "tiny-plates");
const options = { architecture, images: 2, precision: "float32", threads: 1 } as const;

for (const loss of [{ kind: "cross-entropy", smoothing: 0.1 }, { kind: "cosface" }, { kind: "bce", classes: "sum" }]) {
  test(
    `training on tfjs-webgpu - the gradients of ${JSON.stringify(loss)} are those of ONNX Runtime`,
    { timeout },
    () => checkTraining(webgpu, { ...options, loss: lossSchema.parse(loss) }, network()),
  );
}

test("training on tfjs-webgpu - a learner in its thread measures and predicts what it does on ONNX Runtime", {
  timeout,
}, async () => {
  const { channels, height, width, plates } = architecture;
  const images = {
    pixels: Uint8Array.from({ length: 8 * channels * height * width }, (_, i) => Math.imul(i, 2654435761) >>> 24),
    scale: new Float32Array(8 * channels).fill(1 / 255),
    offset: new Float32Array(8 * channels),
    plate: Float32Array.from({ length: 8 * plates }, (_, i) => Number(i % plates === 0)),
  };
  const answers = [];
  for (const provider of ["cpu", "tfjs-webgpu"] as const) {
    const learner = await openRemoteLearner(provider, learnerOptions(architecture), network());
    const measured = await learner.measure(images);
    answers.push({ ...measured, ...(await learner.predict(images, measured)) });
    await learner.close();
  }
  const [expected, actual] = answers as [(typeof answers)[0], (typeof answers)[0]];
  for (const name of ["means", "variances", "logits", "features"] as const) {
    const error = relativeError(actual[name], expected[name]);
    assert.ok(error < 1e-4, `${name} are off by ${error}`);
  }
});

test("a backend without the gradients says which it lacks, and where to train", { timeout }, async () => {
  await assert.rejects(
    openRemoteLearner("tfjs-wasm", learnerOptions(architecture), network()),
    /\[invalid-config\] tfjs on "wasm" does not train: it has no Conv2DBackpropFilter; train on its provider webgpu/,
  );
});

test("tfjs does not train in half precision", { timeout }, () =>
  assert.rejects(
    webgpu.open("train", { ...options, loss: lossSchema.parse({}), precision: "float16" }, () => true),
    /\[invalid-config\] tfjs trains in float32 only/,
  ),
);
