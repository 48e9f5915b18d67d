/** What every runtime has to compute on every provider: the numbers that PyTorch computes for the parity cases. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { estimateStatistics, type PackedStatistics, packStatistics } from "../../common/norm-statistics.ts";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import type {
  NetworkInputs,
  NetworkMode,
  OpenNetwork,
  PixelType,
  Precision,
} from "../../gpu-worker/runtime/runtime.ts";
import { findRuntime } from "../../gpu-worker/runtime/runtimes.ts";
import { assertClose, type ParityCase, parityCase } from "./parity-case.ts";

const timeout = 240_000;

/** `slow`: every shape of input is compiled for seconds; each kind of graph is tried once. */
export const runtimeSuite = (
  name: string,
  provider: string,
  { precision = "float32" as Precision, slow = false } = {},
): void => {
  const runtime = findRuntime(name).then(({ open }) => open(provider, { threads: 1, precision }));
  const limit = precision === "float32" ? 1e-4 : 5e-3;

  for (const of of ["tiny", "tiny-plates"]) {
    const network = parityCase(of);
    const { architecture, weights, expected } = network;
    const says = `${name} on ${provider}, ${precision}, ${of}`;

    const opened = new Map<string, Promise<OpenNetwork>>();
    const open = (mode: NetworkMode, type: PixelType = "uint8"): Promise<OpenNetwork> => {
      const key = `${mode} ${type}`;
      const known = opened.get(key) ?? runtime.then((each) => each.open({ architecture, weights }, mode, type));
      opened.set(key, known);
      return known;
    };
    after(async () => {
      for (const each of opened.values()) await (await each).close();
    });

    test(`${says}: stored statistics give PyTorch's eval mode`, { timeout }, async () => {
      const running = packStatistics(normLayers(architecture), weights);
      const { logits, features } = await (await open("fixed")).run(inputsOf(network, 0, 8, "uint8", running));
      assertClose(logits!, expected("running.logits"), "logits", limit);
      assertClose(features!, expected("running.features"), "features", limit);
    });

    test(`${says}: statistics of the batch give PyTorch's train mode, for every batch size`, { timeout }, async () => {
      for (const images of slow ? [8] : [8, 5, 2]) {
        const { logits, features } = await (await open("batch")).run(inputsOf(network, 0, images));
        assertClose(logits!, expected(`batch${images}.logits`), `logits of ${images}`, limit);
        assertClose(features!, expected(`batch${images}.features`), `features of ${images}`, limit);
      }
    });

    test(`${says}: calibration gives the statistics and predictions of PyTorch's momentum=None`, {
      timeout,
    }, async () => {
      const estimate = estimateStatistics(normLayers(architecture));
      for (const from of [0, 8, 16]) {
        const { mean, variance } = await (await open("calibration")).run(inputsOf(network, from, from + 8));
        estimate.add({ mean: mean!, variance: variance! }, 8);
      }
      const statistics = estimate.finish(weights, 0);
      for (const { name: layer } of normLayers(architecture)) {
        for (const key of [`${layer}.running_mean`, `${layer}.running_var`]) {
          assertClose(statistics.get(key)!, expected(`calibrated.stats.${key}`), key, limit);
        }
      }
      const packed = packStatistics(normLayers(architecture), statistics);
      const { logits } = await (await open("fixed")).run(inputsOf(network, 24, 32, "uint8", packed));
      assertClose(logits!, expected("calibrated.logits"), "logits", limit);
    });

    if (slow && of !== "tiny") continue;

    test(`${says}: 16 bit and float pixels predict what bytes predict`, { timeout }, async () => {
      const running = packStatistics(normLayers(architecture), weights);
      for (const type of ["uint16", "float32"] as const) {
        const { logits } = await (await open("fixed", type)).run(inputsOf(network, 0, 8, type, running));
        assertClose(logits!, expected("running.logits"), type, limit);
      }
    });

    test(`${says}: one open network takes images of another, oblong size`, { timeout }, async () => {
      const { pixels, shape, ...rest } = inputsOf(network, 0, 4);
      const [images, channels, height, width] = shape as [number, number, number, number];
      const turned = { ...rest, pixels, shape: [images, channels, height * 2, width / 2] };
      const { logits } = await (await open("batch")).run(turned);
      assert.ok(logits!.every(Number.isFinite), "finite");
      assert.equal(logits!.length, images * architecture.classes);
    });
  }
};

const inputsOf = (
  { inputs }: ParityCase,
  from: number,
  to: number,
  type: PixelType = "uint8",
  statistics?: PackedStatistics,
): NetworkInputs => {
  const { pixels, scale, offset, plate } = inputs(from, to, type);
  return {
    pixels: pixels!.data as NetworkInputs["pixels"],
    shape: pixels!.shape,
    scale: scale!.data as Float32Array,
    offset: offset!.data as Float32Array,
    ...(plate === undefined ? {} : { plate: plate.data as Float32Array }),
    ...(statistics === undefined ? {} : { statistics }),
  };
};
