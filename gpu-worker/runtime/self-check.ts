/**
 * Whether a provider computes right: a small known input on it and on the reference, ONNX Runtime's CPU provider, which the
 * tests hold against PyTorch. Drivers and compilers of GPUs do get networks wrong, and nothing else would show it.
 */
import { PlatestreamError } from "../../common/errors.ts";
import { packStatistics } from "../../common/norm-statistics.ts";
import { uniformRandom } from "../../common/random.ts";
import { type Network, normLayers } from "../network/architecture.ts";
import type { NetworkInputs, NetworkMode, OpenNetwork, PixelType, Precision, Runtime } from "./runtime.ts";

/** Largest relative error that a provider may have against the reference. */
export const tolerance: Readonly<Record<Precision, number>> = { float32: 1e-3, float16: 3e-2 };

const images = 4;
/** A network computes images of any size; small ones show a wrong operation as well. */
const largestSide = 64;

const pixelTypes = {
  uint8: { array: Uint8Array, most: 255 },
  uint16: { array: Uint16Array, most: 65535 },
  float32: { array: Float32Array, most: 1 },
} as const;

/** Noise of another brightness in every image; every image on another plate. */
const knownInput = ({ architecture, weights }: Network, mode: NetworkMode, pixelType: PixelType): NetworkInputs => {
  const { channels, plates } = architecture;
  const [height, width] = [Math.min(architecture.height, largestSide), Math.min(architecture.width, largestSide)];
  const { array, most } = pixelTypes[pixelType];
  const random = uniformRandom(1);
  const size = channels * height * width;
  const pixels = new array(images * size);
  for (let index = 0; index < pixels.length; index++) {
    pixels[index] = ((Math.floor(index / size) + 1 + random()) / (images + 1)) * most;
  }
  const plate = new Float32Array(images * plates);
  for (let image = 0; image < images && plates > 0; image++) plate[image * plates + (image % plates)] = 1;
  return {
    pixels,
    shape: [images, channels, height, width],
    scale: new Float32Array(images * channels).fill(1 / most),
    offset: new Float32Array(images * channels),
    ...(plates > 0 ? { plate } : {}),
    ...(mode === "fixed" ? { statistics: packStatistics(normLayers(architecture), weights) } : {}),
  };
};

/** Norm of the difference over the norm of what is expected; infinite where a value is NaN. */
export const relativeError = (actual: Float32Array, expected: Float32Array): number => {
  let [difference, size] = [0, 0];
  for (let index = 0; index < expected.length; index++) {
    difference += (actual[index]! - expected[index]!) ** 2;
    size += expected[index]! ** 2;
  }
  const error = size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
  return Number.isFinite(error) ? error : Infinity;
};

/** Throws "wrong-provider" with the output that is furthest off. */
const compare = async (
  runtime: Runtime,
  reference: Runtime,
  opened: OpenNetwork,
  network: Network,
  mode: NetworkMode,
  pixelType: PixelType,
): Promise<void> => {
  const input = knownInput(network, mode, pixelType);
  const expecting = await reference.open(network, mode, pixelType);
  const expected = await expecting.run(input);
  await expecting.close();
  const actual = await opened.run(input);
  const errors = Object.entries(expected).map(([output, values]) => ({
    output,
    error: relativeError(actual[output]!, values),
  }));
  const worst = errors.reduce((most, each) => (each.error > most.error ? each : most));
  const most = tolerance[runtime.precision];
  if (worst.error <= most) return;
  throw new PlatestreamError(
    "wrong-provider",
    `${runtime.name} on "${runtime.provider}" computes wrong numbers: in mode ${mode} its ${worst.output} are off by ` +
      `${worst.error.toPrecision(2)} of their size, at most ${most} is allowed; use another provider, or another version of its driver`,
  );
};

/** `runtime`, but a network that computes anything else than on `reference` does not open. */
export const checkedRuntime = (runtime: Runtime, reference: Runtime): Runtime => ({
  ...runtime,
  async open(network, mode, pixelType) {
    const opened = await runtime.open(network, mode, pixelType);
    try {
      await compare(runtime, reference, opened, network, mode, pixelType);
      return opened;
    } catch (thrown) {
      await opened.close();
      const { name, provider } = runtime;
      if (PlatestreamError.from(thrown).code !== "internal") throw thrown;
      const why = (thrown as Error).message.trim();
      throw new PlatestreamError("invalid-model", `${name} on "${provider}" cannot run mode ${mode}: ${why}`);
    }
  },
});
