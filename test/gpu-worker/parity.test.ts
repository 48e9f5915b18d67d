import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeStatistics,
  encodeStatistics,
  estimateStatistics,
  packStatistics,
} from "../../common/norm-statistics.ts";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import { float32, type Tensor, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { assertClose, type Format, formats, type ParityCase, parityCase } from "./parity-case.ts";

const floats = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

const calibrate = async (network: ParityCase, format: Format, batches: readonly (readonly [number, number])[]) => {
  const { architecture, weights, inputs, open } = network;
  const session = await open("calibration", format);
  const estimate = estimateStatistics(normLayers(architecture));
  for (const [from, to] of batches) {
    const { mean, variance } = await session.run(inputs(from, to));
    estimate.add({ mean: floats(mean), variance: floats(variance) }, to - from);
  }
  await session.close();
  return estimate.finish(weights, 0);
};

const turn = (inputs: Tensors): Tensors => {
  const { type, data, shape } = inputs.pixels!;
  const [images, channels, height, width] = shape as [number, number, number, number];
  return { ...inputs, pixels: { type, data, shape: [images, channels, height * 2, width / 2] } };
};

for (const format of formats) {
  for (const name of ["tiny", "tiny-plates"]) {
    const network = parityCase(name);
    const { architecture, weights, expected, inputs, open } = network;
    const says = `${name}, ${format}`;

    test(`${says}: stored statistics give PyTorch's eval mode`, async () => {
      const session = await open({ constant: weights }, format);
      const { logits, features } = await session.run(inputs(0, 8));
      assertClose(floats(logits), expected("running.logits"), "logits");
      assertClose(floats(features), expected("running.features"), "features");
      await session.close();
    });

    test(`${says}: statistics of the batch give PyTorch's train mode, for every batch size`, async () => {
      const session = await open("batch", format);
      for (const images of [8, 5, 2]) {
        const { logits, features } = await session.run(inputs(0, images));
        assertClose(floats(logits), expected(`batch${images}.logits`), `logits of ${images}`);
        assertClose(floats(features), expected(`batch${images}.features`), `features of ${images}`);
      }
      await session.close();
    });

    test(`${says}: calibration gives the statistics and predictions of PyTorch's momentum=None`, async () => {
      const statistics = await calibrate(network, format, [
        [0, 8],
        [8, 16],
        [16, 24],
      ]);
      for (const { name: layer } of normLayers(architecture)) {
        for (const key of [`${layer}.running_mean`, `${layer}.running_var`]) {
          assertClose(statistics.get(key)!, expected(`calibrated.stats.${key}`), key);
        }
      }
      const calibrated = decodeStatistics(encodeStatistics(statistics).data, normLayers(architecture));
      const constant = await open({ constant: calibrated }, format);
      assertClose(floats((await constant.run(inputs(24, 32))).logits), expected("calibrated.logits"), "logits");
      await constant.close();
    });

    test(`${says}: one graph predicts with whatever statistics a run brings`, async () => {
      const session = await open("fixed", format);
      const calibrated = new Map(
        [...weights.keys()].map((key) => [key, network.tensors.get(`calibrated.stats.${key}`)]),
      );
      for (const [statistics, from, reference] of [
        [weights, 0, "running.logits"],
        [new Map([...calibrated].map(([key, tensor]) => [key, tensor?.data as Float32Array])), 24, "calibrated.logits"],
      ] as const) {
        const { mean, variance } = packStatistics(normLayers(architecture), statistics);
        const given = { mean: float32(mean, [mean.length]), variance: float32(variance, [variance.length]) };
        const { logits } = await session.run({ ...inputs(from, from + 8), ...given });
        assertClose(floats(logits), expected(reference), reference);
      }
      await session.close();
    });

    test(`${says}: with fixed statistics an image's prediction does not depend on its batch`, async () => {
      const session = await open({ constant: weights }, format);
      const { classes } = architecture;
      const together = floats((await session.run(inputs(0, 8))).logits);
      for (let image = 0; image < 8; image++) {
        const alone = floats((await session.run(inputs(image, image + 1))).logits);
        assertClose(alone, together.subarray(image * classes, (image + 1) * classes), `image ${image}`, 1e-6);
      }
      await session.close();
    });

    test(`${says}: 16 bit and float pixels predict what bytes predict`, async () => {
      for (const type of ["uint16", "float32"] as const) {
        for (const mode of [{ constant: weights }, "batch"] as const) {
          const session = await open(mode, format, type);
          const { logits } = await session.run(inputs(0, 8, type));
          assertClose(
            floats(logits),
            expected(mode === "batch" ? "batch8.logits" : "running.logits"),
            `${type}, ${mode === "batch" ? mode : "constant"}`,
          );
          await session.close();
        }
      }
    });
  }
}

test("both formats agree on images of another, oblong size", async () => {
  const { inputs, open, weights } = parityCase("tiny");
  for (const mode of [{ constant: weights }, "batch"] as const) {
    const [blocked, plain] = await Promise.all(
      formats.map(async (format) => {
        const session = await open(mode, format);
        const { logits } = await session.run(turn(inputs(0, 4)));
        await session.close();
        return floats(logits);
      }),
    );
    assertClose(blocked!, plain!, String(mode));
    assert.ok(blocked!.every(Number.isFinite));
  }
});
