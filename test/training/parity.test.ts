import { test } from "node:test";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { gradientsOf, trainingSuite } from "./training-suite.ts";

const cpu = onnxSessions("cpu");

trainingSuite(cpu);

for (const name of ["tiny", "tiny-plates"]) {
  test(`training - gradients of ${name} in the CPU provider's own memory format are PyTorch's`, async () =>
    gradientsOf(name, cpu, { block: await cpu.block() }));
  test(`training - gradients of ${name} with a pool that keeps no indices are PyTorch's`, () =>
    gradientsOf(name, cpu, { block: 1, poolIndices: false }));
}
