import { test } from "node:test";
import { normLayers } from "../../gpu-worker/model/architecture.ts";
import { decodeStatistics, encodeStatistics, estimateStatistics } from "../../gpu-worker/model/statistics.ts";
import { assertClose, type ParityCase, parityCase } from "./parity-case.ts";

const calibrate = async (network: ParityCase, batches: readonly (readonly [number, number])[]) => {
  const { architecture, weights, inputs, open } = network;
  const session = await open({ kind: "estimate" });
  const estimate = estimateStatistics(architecture);
  for (const [from, to] of batches) {
    const outputs = Object.entries(await session.run(inputs(from, to)));
    estimate.add(Object.fromEntries(outputs.map(([name, { data }]) => [name, data as Float32Array])), to - from);
  }
  await session.close();
  return estimate.finish(weights, 0);
};

for (const name of ["tiny", "tiny-plates"]) {
  const network = parityCase(name);
  const { architecture, expected, inputs, open } = network;

  test(`${name}: stored statistics give PyTorch's eval mode`, async () => {
    const session = await open({ kind: "constant" });
    const { logits, features } = await session.run(inputs(0, 8));
    assertClose(logits!.data as Float32Array, expected("running.logits"), "logits");
    assertClose(features!.data as Float32Array, expected("running.features"), "features");
    await session.close();
  });

  test(`${name}: statistics of the batch give PyTorch's train mode, for every batch size`, async () => {
    const session = await open({ kind: "batch" });
    for (const images of [8, 5, 2]) {
      const { logits, features } = await session.run(inputs(0, images));
      assertClose(logits!.data as Float32Array, expected(`batch${images}.logits`), `logits of ${images}`);
      assertClose(features!.data as Float32Array, expected(`batch${images}.features`), `features of ${images}`);
    }
    await session.close();
  });

  test(`${name}: calibration gives the statistics and predictions of PyTorch's momentum=None`, async () => {
    const statistics = await calibrate(network, [
      [0, 8],
      [8, 16],
      [16, 24],
    ]);
    for (const { name: layer } of normLayers(architecture)) {
      for (const key of [`${layer}.running_mean`, `${layer}.running_var`]) {
        assertClose(statistics.get(key)!, expected(`calibrated.stats.${key}`), key);
      }
    }
    const { data } = encodeStatistics(statistics);
    const session = await open({ kind: "constant", statistics: decodeStatistics(data, architecture) });
    const { logits } = await session.run(inputs(24, 32));
    assertClose(logits!.data as Float32Array, expected("calibrated.logits"), "logits");
    await session.close();
  });

  test(`${name}: with fixed statistics an image's prediction does not depend on its batch`, async () => {
    const session = await open({ kind: "constant" });
    const { logits: together } = await session.run(inputs(0, 8));
    for (let image = 0; image < 8; image++) {
      const { logits: alone } = await session.run(inputs(image, image + 1));
      const { classes } = architecture;
      const same = (together!.data as Float32Array).subarray(image * classes, (image + 1) * classes);
      assertClose(alone!.data as Float32Array, same, `image ${image}`, 1e-6);
    }
    await session.close();
  });

  test(`${name}: 16 bit and float pixels predict what bytes predict`, async () => {
    for (const type of ["uint16", "float32"] as const) {
      for (const kind of ["constant", "batch"] as const) {
        const session = await open({ kind }, type);
        const { logits } = await session.run(inputs(0, 8, type));
        const reference = expected(kind === "batch" ? "batch8.logits" : "running.logits");
        assertClose(logits!.data as Float32Array, reference, `${type}, ${kind}`);
        await session.close();
      }
    }
  });
}
