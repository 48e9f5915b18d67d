/** What the derivatives write their nodes into, and in which precision the large arrays are computed. */
import { elementTypes, type OnnxGraph, type Value } from "../onnx/graph.ts";

/**
 * Feature maps and the weights of convolutions are in `precision`; sums over pixels, statistics, losses and the
 * gradients of parameters are float32 in either case, since sums of halves lose and overflow.
 */
export interface Arithmetic {
  readonly graph: OnnxGraph;
  readonly precision: "float32" | "float16";
  /** Images of a micro-batch. */
  readonly images: number;
}

/** float32 to the precision of the feature maps. */
export const lower = ({ graph, precision }: Arithmetic, value: Value): Value =>
  precision === "float32" ? value : graph.node("Cast", [value], { to: elementTypes.float16 });

/** The precision of the feature maps to float32. */
export const raise = ({ graph, precision }: Arithmetic, value: Value): Value =>
  precision === "float32" ? value : graph.node("Cast", [value], { to: elementTypes.float32 });

export const reshape = ({ graph }: Arithmetic, value: Value, ...shape: readonly number[]): Value =>
  graph.node("Reshape", [value, graph.ints(...shape)]);

/** Sum over images and pixels: [N, C, H, W] -> [C], float32; row by row, for one long sum would lose digits. */
export const sumPerChannel = (a: Arithmetic, maps: Value): Value => {
  const { graph } = a;
  return [3, 2, 0].reduce(
    (sum, axis) => graph.node("ReduceSum", [sum, graph.ints(axis)], { keepdims: 0 }),
    raise(a, maps),
  );
};

/** maps * weight + bias per channel, both float32 [C]. A depthwise convolution does it in one pass over the memory. */
export const affinePerChannel = (
  a: Arithmetic,
  maps: Value,
  channels: number,
  weight: Value,
  bias: readonly [Value] | readonly [] = [],
): Value =>
  a.graph.node(
    "Conv",
    [maps, lower(a, reshape(a, weight, channels, 1, 1, 1)), ...bias.map((value) => lower(a, value))],
    { group: channels, kernel_shape: [1, 1] },
  );
