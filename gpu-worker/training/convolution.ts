/** Derivatives of the convolutions, written as the matrix products that run fastest on a CPU. */
import { slotsOf } from "../model/blocked-layout.ts";
import type { Window } from "../model/densenet.ts";
import type { Value } from "../onnx/graph.ts";
import { type Arithmetic, lower, raise, reshape, sumOverImages } from "./arithmetic.ts";
import {
  blockedCorrelationBelow,
  blockedFrame,
  blockedPointwiseGradient,
  compact,
  fitsBelow,
  fitsPointwise,
  toRows,
} from "./blocked-maps.ts";

/** Of the input; `outputs` are the channels that leave. */
export interface ConvolutionShape {
  readonly images: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly height: number;
  readonly width: number;
  /** For `weightGradient`: the output's gradient is blocked, and so is the input where the stride is 1; else it is in rows. */
  readonly apart?: boolean;
}

export const outputSize = (size: number, { kernel, stride, padding }: Window): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;

/** A window over [N, H, W] that keeps the images apart, as attributes of a convolution or pool. */
export const windowAttributes = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [1, kernel, kernel],
  strides: [1, stride, stride],
  pads: [0, padding, padding, 0, padding, padding],
});

/** `weight` [outputs, inputs, 1, k, k] and the optional `bias` [outputs] are in the precision of the maps. */
export const convolve = (
  { graph }: Arithmetic,
  input: Value,
  weight: Value,
  window: Window,
  bias: readonly [Value] | readonly [] = [],
): Value => graph.node("Conv", [input, weight, ...bias], windowAttributes(window));

const transposed = ({ graph }: Arithmetic, value: Value, ...perm: readonly number[]): Value =>
  graph.node("Transpose", [value], { perm });

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

/** left [r, p] times right [c, p] transposed -> [r, c], float32. */
const correlate = (a: Arithmetic, left: Value, right: Value): Value =>
  raise(a, a.graph.node("MatMul", [left, transposed(a, right, 1, 0)]));

/** The same for [images, r, p] and [images, c, p], summed over the images. */
const correlateApart = (a: Arithmetic, left: Value, right: Value, images: number, shape: [number, number]): Value =>
  sumOverImages(a, a.graph.node("com.microsoft:FusedMatMul", [left, right], { transB: 1 }), images, shape);

/** Rows [N, r, H * W] times the blocked input transposed, summed over the images -> [r, inputs]. */
const blockedCorrelation = (a: Arithmetic, input: Value, shape: ConvolutionShape) => {
  const { images, inputs, height, width } = shape;
  if (fitsPointwise(a, shape))
    return (left: Value, outputs: number): Value => blockedPointwiseGradient(a, left, input, { ...shape, outputs });
  const right = reshape(a, toRows(a, input, inputs), images, inputs, height * width);
  return (left: Value, outputs: number): Value =>
    correlateApart(a, reshape(a, left, images, outputs, height * width), right, images, [outputs, inputs]);
};

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/**
 * The `taps` stretches of `length` along an axis that is (taps - 1) * step longer, one per step. By Split, which is spread
 * over threads; Slice is not.
 */
const stretches = (
  { graph }: Arithmetic,
  of: Value,
  taps: number,
  step: number,
  length: number,
  axis: number,
): Value[] => {
  if (taps === 1) return [of];
  return range(taps).map((tap) => {
    const stretch = graph.fresh("stretch");
    const pieces = [
      { size: tap * step, name: graph.fresh("before") },
      { size: length, name: stretch },
      { size: (taps - 1 - tap) * step, name: graph.fresh("behind") },
    ].filter(({ size }) => size > 0);
    const sizes = graph.ints(...pieces.map(({ size }) => size));
    const names = pieces.map(({ name }) => name);
    graph.nodes("Split", [of, sizes], { axis }, names);
    return stretch;
  });
};

/** Maps moved left by every x below `taps`, side by side: [1, C, N, H, width + taps - 1] -> [1, taps * C, N, H, width]. */
const shiftedAcross = (a: Arithmetic, maps: Value, taps: number, width: number): Value =>
  a.graph.node("Concat", stretches(a, maps, taps, 1, width, 4), { axis: 1 });

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

/** Larger strides: the input is cut into its phases first, so that every view is of neighbouring pixels. */
const stridedWeightGradient = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  window: Window,
  { images, inputs, outputs, height, width, apart = false }: ConvolutionShape,
): Value => {
  const { graph } = a;
  const { kernel, stride, padding } = window;
  const [tall, wide] = [outputSize(height, window), outputSize(width, window)];
  const taps = Math.ceil(kernel / stride);
  const [rows, columns] = [tall + taps - 1, wide + taps - 1];
  const after = [stride * rows - height - padding, stride * columns - width - padding] as const;
  const pads = graph.ints(0, 0, padding, padding, 0, 0, ...after);
  const [outer, depth] = apart ? [images, 1] : [1, images];
  const padded = graph.node("Pad", [reshape(a, input, outer, inputs * depth, height, width), pads]);
  const phases = graph.node("SpaceToDepth", [padded], { blocksize: stride });
  const all = reshape(a, phases, outer, stride * stride * inputs, depth, rows, columns);
  const beside = shiftedAcross(a, all, taps, wide);
  const across = taps * stride * stride * inputs;
  const combined = (): Value => {
    const moved = range(taps).map((y) =>
      graph.node("Pad", [gradient, graph.ints(0, 0, 0, y, 0, 0, 0, 0, taps - 1 - y, 0)]),
    );
    const size = images * rows * wide;
    const left = reshape(a, graph.node("Concat", moved, { axis: 1 }), taps * outputs, size);
    return correlate(a, left, reshape(a, beside, across, size));
  };
  const byRow = (): Value => {
    const left = reshape(a, toRows(a, gradient, outputs), images, outputs, tall * wide);
    const lines = reshape(a, beside, images, across, rows * wide);
    const products = stretches(a, lines, taps, wide, tall * wide, 2).map((right) =>
      correlateApart(a, left, right, images, [outputs, across]),
    );
    return graph.node("Concat", products, { axis: 0 });
  };
  const below = (): Value => {
    const slots = slotsOf(outputs, a.block);
    const sizes = { images, channels: slots.length, height: tall, width: wide, columns: across, taps };
    return compact(a, blockedCorrelationBelow(a, beside, gradient, sizes), slots, 1);
  };
  const rowwise = fitsBelow(a, { height: tall, width: wide }) ? below : byRow;
  const product = apart ? rowwise() : combined();
  const split = reshape(a, product, taps, outputs, taps, stride, stride, inputs);
  const whole = reshape(a, transposed(a, split, 1, 5, 0, 3, 2, 4), outputs, inputs, taps * stride, taps * stride);
  return graph.node("Slice", [whole, graph.ints(0, 0), graph.ints(kernel, kernel), graph.ints(2, 3)]);
};

/** Gradient of the output and the input -> gradient of the weights [outputs, inputs, k, k], float32. */
export const weightGradient = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  window: Window,
  shape: ConvolutionShape,
): Value => {
  const { images, inputs, outputs, height, width, apart = false } = shape;
  if (window.stride > 1) return stridedWeightGradient(a, gradient, input, window, shape);
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
