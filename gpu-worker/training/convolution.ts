/** Derivatives of the convolutions, written as the matrix products that run fastest on a CPU. */
import type { Window } from "../model/densenet.ts";
import type { Value } from "../onnx/graph.ts";
import { type Arithmetic, raise, reshape } from "./arithmetic.ts";

export interface ConvolutionShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly height: number;
  readonly width: number;
  /** [outputs] in the precision of the maps, or nothing. */
  readonly bias: readonly [Value] | readonly [];
}

/** What an operation gives, and its gradients: each is written into the graph only when it is asked for. */
export interface Convolution {
  readonly output: Value;
  /** Gradient of the output -> gradient of the input. */
  inputGradient(gradient: Value): Value;
  /** Gradient of the output -> gradient of the weights [outputs, inputs, k, k], float32. */
  weightGradient(gradient: Value): Value;
}

export const outputSize = (size: number, { kernel, stride, padding }: Window): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;

const transposed = ({ graph }: Arithmetic, value: Value, ...perm: readonly number[]): Value =>
  graph.node("Transpose", [value], { perm });

/** Sum over the images of left [N, r, p] times right [N, c, p] transposed -> [r, c], float32. */
const correlate = (a: Arithmetic, left: Value, right: Value): Value => {
  const products = a.graph.node("MatMul", [left, transposed(a, right, 0, 2, 1)]);
  return a.graph.node("ReduceSum", [raise(a, products), a.graph.ints(0)], { keepdims: 0 });
};

/** [N, C, H, W] -> [N, kernel * kernel * C, outHeight * outWidth]: for each tap of the window, what it looks at. */
const columns = (
  a: Arithmetic,
  maps: Value,
  channels: number,
  { kernel, stride, padding }: Window,
  height: number,
  width: number,
): Value => {
  const { graph } = a;
  const padded = graph.node("Pad", [maps, graph.ints(0, 0, padding, padding, 0, 0, padding, padding)]);
  const taps: Value[] = [];
  for (let y = 0; y < kernel; y++) {
    for (let x = 0; x < kernel; x++) {
      const ends = graph.ints(y + (height - 1) * stride + 1, x + (width - 1) * stride + 1);
      taps.push(graph.node("Slice", [padded, graph.ints(y, x), ends, graph.ints(2, 3), graph.ints(stride, stride)]));
    }
  }
  return reshape(a, graph.node("Concat", taps, { axis: 1 }), a.images, kernel * kernel * channels, height * width);
};

/** 1x1: both gradients are matrix products. */
const pointwise = (a: Arithmetic, input: Value, weight: Value, shape: ConvolutionShape): Convolution => {
  const { inputs, outputs, height, width } = shape;
  const { graph, images } = a;
  const rows = (maps: Value, channels: number) => reshape(a, maps, images, channels, height * width);
  return {
    output: graph.node("Conv", [input, weight, ...shape.bias], { kernel_shape: [1, 1] }),
    inputGradient: (gradient) =>
      graph.node("Conv", [gradient, transposed(a, weight, 1, 0, 2, 3)], { kernel_shape: [1, 1] }),
    weightGradient: (gradient) =>
      reshape(a, correlate(a, rows(gradient, outputs), rows(input, inputs)), outputs, inputs, 1, 1),
  };
};

/**
 * Stride 1: the input's gradient is a convolution with the weights flipped and transposed; for the weights' gradient
 * the columns are made of the output's gradient, which in a DenseNet has a quarter of the input's channels.
 */
const unstrided = (
  a: Arithmetic,
  input: Value,
  weight: Value,
  { kernel, padding }: Window,
  shape: ConvolutionShape,
): Convolution => {
  const { inputs, outputs, height, width } = shape;
  const { graph, images } = a;
  const attributes = { kernel_shape: [kernel, kernel], pads: [padding, padding, padding, padding] };
  const mirror: Window = { kernel, stride: 1, padding: kernel - 1 - padding };
  const back = mirror.padding;
  const flipped = (value: Value) =>
    graph.node("Slice", [value, graph.ints(-1, -1), graph.ints(-99, -99), graph.ints(2, 3), graph.ints(-1, -1)]);
  return {
    output: graph.node("Conv", [input, weight, ...shape.bias], attributes),
    inputGradient: (gradient) =>
      graph.node("Conv", [gradient, flipped(transposed(a, weight, 1, 0, 2, 3))], {
        kernel_shape: [kernel, kernel],
        pads: [back, back, back, back],
      }),
    weightGradient: (gradient) => {
      const taps = columns(a, gradient, outputs, mirror, height, width);
      const product = correlate(a, taps, reshape(a, input, images, inputs, height * width));
      return flipped(transposed(a, reshape(a, product, kernel, kernel, outputs, inputs), 2, 3, 0, 1));
    },
  };
};

const strided = (a: Arithmetic, input: Value, weight: Value, window: Window, shape: ConvolutionShape): Convolution => {
  const { kernel, stride, padding } = window;
  const { inputs, outputs, height, width } = shape;
  const { graph, images } = a;
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  const [tall, wide] = [outputSize(height, window), outputSize(width, window)];
  const unread = (size: number, out: number) => size + 2 * padding - kernel - (out - 1) * stride;
  return {
    output: graph.node("Conv", [input, weight, ...shape.bias], attributes),
    inputGradient: (gradient) =>
      graph.node("ConvTranspose", [gradient, weight], {
        ...attributes,
        output_padding: [unread(height, tall), unread(width, wide)],
      }),
    weightGradient: (gradient) => {
      const taps = columns(a, input, inputs, window, tall, wide);
      const product = correlate(a, reshape(a, gradient, images, outputs, tall * wide), taps);
      return transposed(a, reshape(a, product, outputs, kernel, kernel, inputs), 0, 3, 1, 2);
    },
  };
};

/** `weight` [outputs, inputs, k, k] in the precision of the maps. */
export const convolution = (
  a: Arithmetic,
  input: Value,
  weight: Value,
  window: Window,
  shape: ConvolutionShape,
): Convolution => {
  if (window.stride > 1) return strided(a, input, weight, window, shape);
  if (window.kernel === 1 && window.padding === 0) return pointwise(a, input, weight, shape);
  return unstrided(a, input, weight, window, shape);
};
