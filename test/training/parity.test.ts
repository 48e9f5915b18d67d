import { test } from "node:test";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";
import { gradientsOf, trainingSuite } from "./training-suite.ts";

const cpu = onnxSessions("cpu");
const portable = { ...cpu, block: async () => 1 };

// In the provider's own memory format.
trainingSuite(onnxTraining(cpu, 1));

for (const name of ["tiny", "tiny-plates"]) {
  test(`training - gradients of ${name} in portable ONNX are PyTorch's`, () =>
    gradientsOf(name, onnxTraining(portable, 1)));
  test(`training - gradients of ${name} with a pool that keeps no indices, as on webgpu, are PyTorch's`, () =>
    gradientsOf(name, onnxTraining({ ...portable, provider: "webgpu" }, 1)));
}
