/**
 * What the derivatives write their nodes into, and in which precision the large arrays are computed.
 *
 * Feature maps are [1, C, N, H, W]: the images of a batch are the depth of one. All values of a channel lie in one piece,
 * so that sums over a channel, normalisation, joining maps, and products of matrices run over long rows, however small
 * the maps are; a convolution with a kernel of depth 1 keeps the images apart.
 */
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

/** Mean over images and pixels: maps -> [C], float32; in steps, for one long sum would lose digits. */
export const meanPerChannel = (a: Arithmetic, maps: Value, pixels: readonly [height: number, width: number]): Value => {
  const size = pixels[0] * pixels[1];
  const steps =
    a.images * size <= 2048
      ? [[0, 2, 3, 4]]
      : size <= 2048
        ? [
            [3, 4],
            [0, 2],
          ]
        : [[4], [3], [0, 2]];
  return steps.reduce((mean, axes) => a.graph.node("ReduceMean", [mean], { axes, keepdims: 0 }), raise(a, maps));
};

/** Per-channel factors [C] in the form that `affinePerChannel` takes. */
export const depthwise = (a: Arithmetic, factors: Value, channels: number): Value =>
  lower(a, reshape(a, factors, channels, 1, 1, 1));

/**
 * factors * maps + bias per channel, `bias` float32 [C]; then plus other maps, or ReLU. A depthwise convolution over
 * flat maps does it all in one pass over the memory: the runtime fuses what follows a two-dimensional convolution.
 */
export const affinePerChannel = (
  a: Arithmetic,
  maps: Value,
  [channels, height, width]: readonly [channels: number, height: number, width: number],
  factors: Value,
  bias: Value,
  then: { readonly plus?: Value | undefined; readonly rectify?: boolean } = {},
): Value => {
  const { graph, images } = a;
  const flat = (value: Value) => reshape(a, value, 1, channels, images * height, width);
  let result = graph.node("Conv", [flat(maps), factors, lower(a, bias)], { group: channels, kernel_shape: [1, 1] });
  if (then.plus !== undefined) result = graph.node("Add", [result, flat(then.plus)]);
  if (then.rectify === true) result = graph.node("Relu", [result]);
  return reshape(a, result, 1, channels, images, height, width);
};
