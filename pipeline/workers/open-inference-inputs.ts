/** What a run's images and statistics are as inputs of an exported network. */
import { PlatestreamError } from "../../common/errors.ts";
import type { ExportedNetwork } from "../../common/exported-network.ts";
import type { Images } from "../../common/inference.ts";
import { oneHot, perImage } from "../../common/network-inputs.ts";
import type { PackedStatistics } from "../../common/norm-statistics.ts";
import type { PixelDatatype } from "./open-inference-models.ts";
import type { Tensor } from "./open-inference-tensors.ts";

interface Target extends ExportedNetwork {
  readonly pixels: PixelDatatype;
}

/** Types may be widened, which is exact. */
const pixelsFor = ({ pixels: datatype, model }: Target, pixels: Images["pixels"]): Images["pixels"] => {
  const bits = pixels instanceof Uint8Array ? 8 : pixels instanceof Uint16Array ? 16 : 32;
  const held = datatype === "UINT8" ? 8 : datatype === "UINT16" ? 16 : 32;
  if (bits === held) return pixels;
  if (bits < held) return held === 16 ? Uint16Array.from(pixels) : Float32Array.from(pixels);
  throw new PlatestreamError(
    "invalid-request",
    `${model.name} ${model.cellType} is exported for pixels of ${held} bits, and these have ${bits}; export it with ` +
      `--pixels ${bits === 16 ? "uint16" : "float32"}`,
  );
};

/** Those that all models of a network read. Throws "invalid-request" where pixels do not fit. */
export const imageTensors = (of: Target, { pixels, shape, scale, offset, plates }: Images): Tensor[] => {
  const [count, channels] = shape;
  const each = (values: readonly number[], own: readonly number[]): Float32Array =>
    perImage(values.length === 0 ? own : values, count, channels);
  return [
    { name: "pixels", shape, data: pixelsFor(of, pixels) },
    { name: "scale", shape: [count, channels], data: each(scale, of.input.scale) },
    { name: "offset", shape: [count, channels], data: each(offset, of.input.offset) },
    ...(of.model.plates > 0
      ? [{ name: "plate", shape: [count, of.model.plates], data: oneHot(plates, of.model.plates) }]
      : []),
  ];
};

export const statisticsTensors = ({ mean, variance }: PackedStatistics): Tensor[] => [
  { name: "mean", shape: [mean.length], data: mean },
  { name: "variance", shape: [variance.length], data: variance },
];
