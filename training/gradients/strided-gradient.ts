/** Gradient of the weights of a convolution with a larger stride, as the first one has it. */

import type { Window } from "../../gpu-worker/network/densenet.ts";
import { slotsOf } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, reshape, transposed } from "./arithmetic.ts";
import { blockedCorrelationBelow, compact, fitsBelow, toRows } from "./blocked-maps.ts";
import { correlate, correlateApart, range, shiftedAcross, stretches } from "./correlation.ts";
import { type ConvolutionShape, outputSize, type WeightGradient } from "./windows.ts";

/**
 * `taps` neighbours of a pixel are read in maps of `rows` x `columns`, whose pixels are `stride` x `stride` of the input's;
 * `after`: zeros below and right of the input that fill them, where those above and left are the window's padding.
 */
const phasesOf = (window: Window, { height, width }: ConvolutionShape) => {
  const { kernel, stride, padding } = window;
  const [tall, wide] = [outputSize(height, window), outputSize(width, window)];
  const taps = Math.ceil(kernel / stride);
  const [rows, columns] = [tall + taps - 1, wide + taps - 1];
  const after = [stride * rows - height - padding, stride * columns - width - padding] as const;
  return { taps, tall, wide, rows, columns, after };
};

/** The gradient, [O, I, taps * stride, taps * stride], without the taps that the window does not have. */
const cropped = ({ graph }: Arithmetic, whole: Value, { kernel }: Window): Value =>
  graph.node("Slice", [whole, graph.ints(0, 0), graph.ints(kernel, kernel), graph.ints(2, 3)]);

/** The input is cut into its phases first, so that every view is of neighbouring pixels. */
export const stridedWeightGradient: WeightGradient = (a, gradient, input, window, shape) => {
  const { graph } = a;
  const { images, inputs, outputs, height, width } = shape;
  const { stride, padding } = window;
  const { taps, wide, rows, columns, after } = phasesOf(window, shape);
  const pads = graph.ints(0, 0, padding, padding, 0, 0, ...after);
  const padded = graph.node("Pad", [reshape(a, input, 1, inputs * images, height, width), pads]);
  const phases = graph.node("SpaceToDepth", [padded], { blocksize: stride });
  const all = reshape(a, phases, 1, stride * stride * inputs, images, rows, columns);
  const size = images * rows * wide;
  const right = reshape(a, shiftedAcross(a, all, taps, wide), taps * stride * stride * inputs, size);
  const moved = range(taps).map((y) =>
    graph.node("Pad", [gradient, graph.ints(0, 0, 0, y, 0, 0, 0, 0, taps - 1 - y, 0)]),
  );
  const left = reshape(a, graph.node("Concat", moved, { axis: 1 }), taps * outputs, size);
  const split = reshape(a, correlate(a, left, right), taps, outputs, taps, stride, stride, inputs);
  const reach = taps * stride;
  return cropped(a, reshape(a, transposed(a, split, 1, 5, 0, 3, 2, 4), outputs, inputs, reach, reach), window);
};

/** Filters with a single one each, in every place of the window: they copy what it reads into channels. */
const copies = ({ graph }: Arithmetic, inputs: number, tall: number, wide: number): Value => {
  const places = tall * wide;
  const data = Float32Array.from({ length: inputs * places * places }, (_, i) =>
    Number(Math.floor(i / places) % places === i % places),
  );
  return graph.constant(`copies_${inputs}_${places}`, data, [inputs * places, 1, tall, wide]);
};

/** The same for a blocked gradient and an input [N, C, H, W]. */
export const blockedStridedGradient: WeightGradient = (a, gradient, input, window, shape) => {
  const { images, inputs, outputs } = shape;
  const { stride, padding } = window;
  const { taps, tall, wide, rows, after } = phasesOf(window, shape);
  const reach = taps * stride;
  const columns = inputs * stride * reach;
  const read = a.graph.node("Conv", [input, copies(a, inputs, stride, reach)], {
    group: inputs,
    kernel_shape: [stride, reach],
    strides: [stride, stride],
    pads: [padding, padding, ...after],
  });
  const below = (): Value => {
    const slots = slotsOf(outputs, a.block);
    const sizes = { images, channels: slots.length, height: tall, width: wide, columns, taps };
    return compact(a, blockedCorrelationBelow(a, read, gradient, sizes), slots, 1);
  };
  const byRow = (): Value => {
    const left = reshape(a, toRows(a, gradient, outputs), images, outputs, tall * wide);
    const lines = reshape(a, read, images, columns, rows * wide);
    const products = stretches(a, lines, taps, wide, tall * wide, 2).map((right) =>
      correlateApart(a, left, right, images, [outputs, columns]),
    );
    return a.graph.node("Concat", products, { axis: 0 });
  };
  const product = fitsBelow(a, { height: tall, width: wide }) ? below() : byRow();
  const split = reshape(a, product, taps, outputs, inputs, stride, reach);
  return cropped(a, reshape(a, transposed(a, split, 1, 2, 0, 3, 4), outputs, inputs, reach, reach), window);
};
