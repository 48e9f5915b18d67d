import assert from "node:assert/strict";
import { test } from "node:test";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import { decodeStatistics, encodeStatistics, estimateStatistics } from "../../gpu-worker/network/statistics.ts";
import { packStatistics } from "../../gpu-worker/runtime/onnx/inference.ts";
import { float32, type Tensor, type Tensors } from "../../gpu-worker/runtime/runtime.ts";
import { assertClose, type Layout, layouts, type ParityCase, parityCase } from "./parity-case.ts";

const floats = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

const calibrate = async (network: ParityCase, layout: Layout, batches: readonly (readonly [number, number])[]) => {
  const { architecture, weights, inputs, open } = network;
  const session = await open({ kind: "estimate" }, layout);
  const estimate = estimateStatistics(architecture);
  for (const [from, to] of batches) {
    const outputs = Object.entries(await session.run(inputs(from, to)));
    estimate.add(Object.fromEntries(outputs.map(([name, tensor]) => [name, floats(tensor)])), to - from);
  }
  await session.close();
  return estimate.finish(weights, 0);
};

const turn = (inputs: Tensors): Tensors => {
  const { type, data, shape } = inputs.pixels!;
  const [images, channels, height, width] = shape as [number, number, number, number];
  return { ...inputs, pixels: { type, data, shape: [images, channels, height * 2, width / 2] } };
};

for (const layout of layouts) {
  for (const name of ["tiny", "tiny-plates"]) {
    const network = parityCase(name);
    const { architecture, weights, expected, inputs, open } = network;
    const says = `${name}, ${layout}`;

    test(`${says}: stored statistics give PyTorch's eval mode`, async () => {
      const session = await open({ kind: "constant" }, layout);
      const { logits, features } = await session.run(inputs(0, 8));
      assertClose(floats(logits), expected("running.logits"), "logits");
      assertClose(floats(features), expected("running.features"), "features");
      await session.close();
    });

    test(`${says}: statistics of the batch give PyTorch's train mode, for every batch size`, async () => {
      const session = await open({ kind: "batch" }, layout);
      for (const images of [8, 5, 2]) {
        const { logits, features } = await session.run(inputs(0, images));
        assertClose(floats(logits), expected(`batch${images}.logits`), `logits of ${images}`);
        assertClose(floats(features), expected(`batch${images}.features`), `features of ${images}`);
      }
      await session.close();
    });

    test(`${says}: calibration gives the statistics and predictions of PyTorch's momentum=None`, async () => {
      const statistics = await calibrate(network, layout, [
        [0, 8],
        [8, 16],
        [16, 24],
      ]);
      for (const { name: layer } of normLayers(architecture)) {
        for (const key of [`${layer}.running_mean`, `${layer}.running_var`]) {
          assertClose(statistics.get(key)!, expected(`calibrated.stats.${key}`), key);
        }
      }
      const calibrated = decodeStatistics(encodeStatistics(statistics).data, architecture);
      const constant = await open({ kind: "constant", statistics: calibrated }, layout);
      assertClose(floats((await constant.run(inputs(24, 32))).logits), expected("calibrated.logits"), "logits");
      await constant.close();
    });

    test(`${says}: one graph predicts with whatever statistics a run brings`, async () => {
      const session = await open({ kind: "given" }, layout);
      const calibrated = new Map(
        [...weights.keys()].map((key) => [key, network.tensors.get(`calibrated.stats.${key}`)]),
      );
      for (const [statistics, from, reference] of [
        [weights, 0, "running.logits"],
        [new Map([...calibrated].map(([key, tensor]) => [key, tensor?.data as Float32Array])), 24, "calibrated.logits"],
      ] as const) {
        const { mean, variance } = packStatistics(architecture, statistics);
        const given = { mean: float32(mean, [mean.length]), variance: float32(variance, [variance.length]) };
        const { logits } = await session.run({ ...inputs(from, from + 8), ...given });
        assertClose(floats(logits), expected(reference), reference);
      }
      await session.close();
    });

    test(`${says}: with fixed statistics an image's prediction does not depend on its batch`, async () => {
      const session = await open({ kind: "constant" }, layout);
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
        for (const kind of ["constant", "batch"] as const) {
          const session = await open({ kind }, layout, type);
          const { logits } = await session.run(inputs(0, 8, type));
          assertClose(
            floats(logits),
            expected(kind === "batch" ? "batch8.logits" : "running.logits"),
            `${type}, ${kind}`,
          );
          await session.close();
        }
      }
    });
  }
}

test("both layouts agree on images of another, oblong size", async () => {
  const { inputs, open } = parityCase("tiny");
  for (const kind of ["constant", "batch"] as const) {
    const [blocked, plain] = await Promise.all(
      layouts.map(async (layout) => {
        const session = await open({ kind }, layout);
        const { logits } = await session.run(turn(inputs(0, 4)));
        await session.close();
        return floats(logits);
      }),
    );
    assertClose(blocked!, plain!, kind);
    assert.ok(blocked!.every(Number.isFinite));
  }
});
