/** Statistics of maps per channel, and what is multiplied with and added to them per channel, in either memory format. */
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, lower, type MapShape, raise, reshape } from "./arithmetic.ts";
import { blockedAffine, blockedMean, blockedMeanProduct } from "./blocked-maps.ts";

/** Mean over images and pixels: maps -> [C], float32; in steps, for one long sum would lose digits. */
export const meanPerChannel = (a: Arithmetic, maps: Value, shape: MapShape): Value => {
  const { height, width, slots, apart = false } = shape;
  if (slots !== undefined) return blockedMean(a, maps, shape);
  const size = height * width;
  const steps = apart
    ? [[3], [2], [0]]
    : a.images * size <= 2048
      ? [[0, 2, 3, 4]]
      : size <= 2048
        ? [
            [3, 4],
            [0, 2],
          ]
        : [[4], [3], [0, 2]];
  return steps.reduce((mean, axes) => a.graph.node("ReduceMean", [mean], { axes, keepdims: 0 }), raise(a, maps));
};

/** Mean of left * right over images and pixels: [C], float32. */
export const meanProductPerChannel = (a: Arithmetic, left: Value, right: Value, shape: MapShape): Value =>
  shape.slots === undefined
    ? meanPerChannel(a, a.graph.node("Mul", [left, right]), shape)
    : blockedMeanProduct(a, left, right, shape);

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
  shape: MapShape,
  factors: Value,
  bias: Value,
  then: { readonly plus?: Value | undefined; readonly rectify?: boolean } = {},
): Value => {
  if (shape.slots !== undefined) return blockedAffine(a, maps, shape, factors, bias, then);
  const { graph, images } = a;
  const { channels, height, width, apart = false } = shape;
  const scaled = (input: Value) =>
    graph.node("Conv", [input, factors, lower(a, bias)], { group: channels, kernel_shape: [1, 1] });
  if (apart) return scaled(maps);
  const flat = (value: Value) => reshape(a, value, 1, channels, images * height, width);
  let result = scaled(flat(maps));
  if (then.plus !== undefined) result = graph.node("Add", [result, flat(then.plus)]);
  if (then.rectify === true) result = graph.node("Relu", [result]);
  return reshape(a, result, 1, channels, images, height, width);
};
