/**
 * What the derivatives write their nodes into, and in which precision the large arrays are computed.
 *
 * Where feature maps are not blocked (`blocked-maps.ts`), they are [1, C, N, H, W], except for the pixels that blocked maps
 * are made of, [N, C, H, W]: the images of a batch are the depth of one. All values of a channel lie in one piece, so that sums over a channel, normalisation, joining maps, and products
 * of matrices run over long rows, however small the maps are; a convolution with a kernel of depth 1 keeps the images
 * apart.
 */
import type { Slots } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import { elementTypes, type OnnxGraph, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";

/**
 * Feature maps and the weights of convolutions are in `precision`; sums over pixels, statistics, losses and the
 * gradients of parameters are float32 in either case, since sums of halves lose and overflow.
 */
export interface Arithmetic {
  readonly graph: OnnxGraph;
  readonly precision: "float32" | "float16";
  /** Images of a micro-batch. */
  readonly images: number;
  /** `OnnxSessions.block`: maps are in the provider's blocked format (`blocked-maps.ts`) where it is above 1. */
  readonly block: number;
  /** Whether the provider's MaxPool says where the maxima were; absent: it does. WebGPU's does not. */
  readonly poolIndices?: boolean | undefined;
}

export interface MapShape {
  /** In memory: with padding, where maps are blocked. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Which channels these are, where the maps are in the blocked format. */
  readonly slots?: Slots | undefined;
  /** [N, C, H, W] rather than [1, C, N, H, W], where they are not blocked. */
  readonly apart?: boolean | undefined;
}

/** One value per channel in a shape that is spread over the maps. */
export const overMaps = (a: Arithmetic, values: Value, { channels, apart = false }: MapShape): Value =>
  reshape(a, values, ...(apart ? [1, channels, 1, 1] : [channels, 1, 1, 1]));

/** float32 to the precision of the feature maps. */
export const lower = ({ graph, precision }: Arithmetic, value: Value): Value =>
  precision === "float32" ? value : graph.node("Cast", [value], { to: elementTypes.float16 });

/** The precision of the feature maps to float32. */
export const raise = ({ graph, precision }: Arithmetic, value: Value): Value =>
  precision === "float32" ? value : graph.node("Cast", [value], { to: elementTypes.float32 });

export const reshape = ({ graph }: Arithmetic, value: Value, ...shape: readonly number[]): Value =>
  graph.node("Reshape", [value, graph.ints(...shape)]);

export const transposed = ({ graph }: Arithmetic, value: Value, ...perm: readonly number[]): Value =>
  graph.node("Transpose", [value], { perm });

/** [images, ...rest] summed over the images, times `factor`. A product with ones: a fifth of ReduceSum's time. */
export const sumOverImages = (
  a: Arithmetic,
  value: Value,
  images: number,
  rest: readonly number[],
  factor = 1,
): Value => {
  const { graph } = a;
  const width = rest.reduce((product, dimension) => product * dimension, 1);
  const factors = graph.constant(`${images}_times_${factor}`, new Float32Array(images).fill(factor), [1, images]);
  return reshape(a, graph.node("MatMul", [factors, reshape(a, value, images, width)]), ...rest);
};
