/** Derivatives of the convolutions, written as the matrix products that run fastest on a CPU. */

import type { Window } from "../../gpu-worker/network/densenet.ts";
import { slotsOf } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, lower, raise, reshape, sumOverImages, transposed } from "./arithmetic.ts";
import { blockedFrame, toRows } from "./blocked-maps.ts";
import { blockedCorrelation, correlate, shiftedAcross, stretches } from "./correlation.ts";
import { blockedStridedGradient, stridedWeightGradient } from "./strided-gradient.ts";
import { type ConvolutionShape, outputSize, type WeightGradient, windowAttributes } from "./windows.ts";

/** `weight` [outputs, inputs, 1, k, k] and the optional `bias` [outputs] are in the precision of the maps. */
export const convolve = (
  { graph }: Arithmetic,
  input: Value,
  weight: Value,
  window: Window,
  bias: readonly [Value] | readonly [] = [],
): Value => graph.node("Conv", [input, weight, ...bias], windowAttributes(window));

const flipped = ({ graph }: Arithmetic, value: Value): Value =>
  graph.node("Slice", [value, graph.ints(-1, -1), graph.ints(-99, -99), graph.ints(-2, -1), graph.ints(-1, -1)]);

/** Gradient of the output -> gradient of the input. */
export const inputGradient = (
  a: Arithmetic,
  gradient: Value,
  weight: Value,
  window: Window,
  { height, width }: ConvolutionShape,
): Value => {
  const { kernel, stride, padding } = window;
  if (stride === 1) {
    const mirrored = transposed(a, weight, 1, 0, 2, 3, 4);
    const back = { kernel, stride, padding: kernel - 1 - padding };
    return convolve(a, gradient, kernel === 1 ? mirrored : flipped(a, mirrored), back);
  }
  const unread = (size: number) => size + 2 * padding - kernel - (outputSize(size, window) - 1) * stride;
  return a.graph.node("ConvTranspose", [gradient, weight], {
    ...windowAttributes(window),
    output_padding: [0, unread(height), unread(width)],
  });
};

/** Stride 1: the columns are made of the output's gradient, which in a DenseNet has a quarter of the input's channels. */
const unstridedWeightGradient = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  { kernel, padding }: Window,
  shape: ConvolutionShape,
): Value => {
  const { images, inputs, outputs, height, width, apart = false } = shape;
  const back = kernel - 1 - padding;
  const [tall, wide] = [height + kernel - 1, width + kernel - 1];
  const padded = apart
    ? reshape(a, toRows(a, blockedFrame(a, gradient, outputs, back), outputs), images, outputs, 1, tall, wide)
    : a.graph.node("Pad", [gradient, a.graph.ints(0, 0, 0, back, back, 0, 0, 0, back, back)]);
  const beside = shiftedAcross(a, padded, kernel, width);
  const lines = apart
    ? reshape(a, beside, images, kernel * outputs, tall * width)
    : reshape(a, beside, kernel * outputs, images, tall * width);
  const pixels = images * height * width;
  const together = (): ((left: Value) => Value) => {
    const right = reshape(a, input, inputs, pixels);
    return (left) => correlate(a, reshape(a, left, kernel * outputs, pixels), right);
  };
  const multiply = apart ? blockedCorrelation(a, input, shape) : together();
  const products = stretches(a, lines, kernel, width, height * width, 2).map((left) =>
    multiply(left, kernel * outputs),
  );
  const product = a.graph.node("Concat", products, { axis: 0 });
  return flipped(a, transposed(a, reshape(a, product, kernel, kernel, outputs, inputs), 2, 3, 0, 1));
};

/** Gradient of the output and the input -> gradient of the weights [outputs, inputs, k, k], float32. */
export const weightGradient: WeightGradient = (a, gradient, input, window, shape) => {
  const { images, inputs, outputs, height, width, apart = false } = shape;
  const strided = apart ? blockedStridedGradient : stridedWeightGradient;
  if (window.stride > 1) return strided(a, gradient, input, window, shape);
  if (window.kernel > 1) return unstridedWeightGradient(a, gradient, input, window, shape);
  if (apart) return blockedCorrelation(a, input, shape)(toRows(a, gradient, outputs), outputs);
  const rows = (maps: Value, channels: number) => reshape(a, maps, channels, images * height * width);
  return correlate(a, rows(gradient, outputs), rows(input, inputs));
};

/**
 * A convolution of factor * input + bias per channel [C], where nothing below the input learns: the gradients of weights,
 * factor and bias without that of the convolution's input, which would cost more than the rest. Sum over the outputs and
 * taps of weight times correlation is what the chain rule leaves of it; what the bias adds, the zeros of the padding
 * cut off, is the correlation with ones. `outputs` is the gradient of what is added behind the convolution.
 */
export const affineInputGradients = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  weight: Value,
  factor: Value,
  bias: Value,
  window: Window,
  shape: ConvolutionShape,
) => {
  const { graph } = a;
  const { inputs, height, width, apart = false } = shape;
  const single = { ...shape, images: 1, inputs: 1 };
  const channels = slotsOf(shape.outputs, a.block).length;
  const summed = apart
    ? sumOverImages(a, gradient, a.images, [1, channels, outputSize(height, window), outputSize(width, window)])
    : graph.node("ReduceSum", [raise(a, gradient), graph.ints(2)], { keepdims: 1 });
  const outputs = apart
    ? graph.node("ReduceSum", [toRows(a, summed, shape.outputs), graph.ints(0, 2, 3)], { keepdims: 0 })
    : graph.node("ReduceSum", [summed, graph.ints(0, 2, 3, 4)], { keepdims: 0 });
  const ones = graph.constant("ones", new Float32Array(height * width).fill(1), [
    ...(apart ? [] : [1]),
    ...[1, 1, height, width],
  ]);
  const { kernel } = window;
  const asTaps = (value: Value, of: number) => reshape(a, value, shape.outputs, of, kernel, kernel);
  const byInput = asTaps(weightGradient(a, gradient, input, window, shape), inputs);
  const byOnes = asTaps(weightGradient(a, lower(a, summed), lower(a, ones), window, single), 1);
  const perChannel = (value: Value) => reshape(a, value, 1, inputs, 1, 1);
  const taps = asTaps(weight, inputs);
  const total = (correlation: Value) =>
    graph.node("ReduceSum", [graph.node("Mul", [taps, correlation]), graph.ints(0, 2, 3)], { keepdims: 0 });
  const [scaled, constant] = [
    graph.node("Mul", [byInput, perChannel(factor)]),
    graph.node("Mul", [byOnes, perChannel(bias)]),
  ];
  return { weight: graph.node("Add", [scaled, constant]), factor: total(byInput), bias: total(byOnes), outputs };
};
