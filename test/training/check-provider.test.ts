import assert from "node:assert/strict";
import { test } from "node:test";
import { type OnnxSessions, onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { checkTraining } from "../../training/learner/check-provider.ts";
import { flatten } from "../../training/learner/flat.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";
import { parityCase } from "../gpu-worker/parity-case.ts";

const cpu = onnxSessions("cpu");

/** Its gradient, or another output, has a part that is left out, as where a kernel does not reach the last block. */
const wrongIn = (output: string): OnnxSessions => ({
  ...cpu,
  async load(model, options) {
    const session = await cpu.load(model, options);
    return {
      ...session,
      async run(inputs, outputs) {
        const results = await session.run(inputs, outputs);
        const values = results[output]?.data as Float32Array | undefined;
        values?.fill(0, Math.floor(values.length / 2));
        return results;
      },
    };
  },
});

for (const name of ["tiny", "tiny-plates"]) {
  const { architecture, weights } = parityCase(name);
  const options = { architecture, images: 8, precision: "float32", loss: lossSchema.parse({}), threads: 1 } as const;
  const network = flatten(architecture, weights, name);

  test(`training on a provider that is right in all begins, ${name}`, () =>
    checkTraining(onnxTraining(cpu, 1), options, network));

  for (const output of ["loss", "gradient", "means", "variances"]) {
    test(`training on a provider that is wrong in its ${output} does not begin, ${name}`, async () => {
      await assert.rejects(checkTraining(onnxTraining(wrongIn(output), 1), options, network), {
        code: "wrong-provider",
        message: new RegExp(`trains wrong: its ${output} is off by \\d`),
      });
    });
  }
}
