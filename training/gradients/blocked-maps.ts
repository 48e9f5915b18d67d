/**
 * Feature maps of training in the CPU provider's blocked format (`../../gpu-worker/runtime/onnx/blocked-format.ts`): [N, C, H, W] with
 * `OnnxSessions.block` channels side by side, and the operations on them. Its convolutions take two thirds of the time of
 * those in rows, and sums over the pixels of a product are a depthwise convolution with the one factor as the filter,
 * which writes nothing. What has no such operation goes through rows and back.
 */

import type { Window } from "../../gpu-worker/network/densenet.ts";
import { occupied, type Slots, slotsOf } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, type MapShape, reshape, sumOverImages } from "./arithmetic.ts";

/** Name of an operation on blocked maps. */
export const nchwc = (op: string) => `com.microsoft.nchwc:${op}`;

export const blockedWindow = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});

/** Blocked to [N, C, H, W]; `channels` cuts padding at the end off. */
export const toRows = ({ graph }: Arithmetic, maps: Value, channels: number): Value =>
  graph.node(nchwc("ReorderOutput"), [maps], { channels });

/** [N, C, H, W] to blocked; C is a multiple of the block. */
export const fromRows = ({ graph }: Arithmetic, rows: Value): Value => graph.node(nchwc("ReorderInput"), [rows]);

const isPadded = (slots: Slots | undefined): slots is Slots => slots?.includes(-1) === true;

/** One entry per channel -> one per slot, zeros in the padding; as it is where there are no slots. */
export const spread = ({ graph }: Arithmetic, value: Value, slots: Slots | undefined, rank = 1, axis = 0): Value => {
  if (!isPadded(slots)) return value;
  const ends = Array.from({ length: 2 * rank }, (_, i) => (i === rank + axis ? 1 : 0));
  const withZero = graph.node("Pad", [value, graph.ints(...ends)]);
  const channels = occupied(slots).length;
  const indices = graph.ints(...Array.from(slots, (slot) => (slot < 0 ? channels : slot)));
  return graph.node("Gather", [withZero, indices], { axis });
};

/** One entry per slot -> one per channel. */
export const compact = ({ graph }: Arithmetic, value: Value, slots: Slots | undefined, axis = 0): Value =>
  isPadded(slots) ? graph.node("Gather", [value, graph.ints(...occupied(slots))], { axis }) : value;

/** Mean over the pixels: [N, C, 1, 1]. */
export const blockedMeans = ({ graph }: Arithmetic, maps: Value): Value =>
  graph.node(nchwc("GlobalAveragePool"), [maps]);

/** Mean over images and pixels: [C]. */
export const blockedMean = (a: Arithmetic, maps: Value, { channels }: MapShape): Value =>
  sumOverImages(a, blockedMeans(a, maps), a.images, [channels], 1 / a.images);

/** Mean of left * right over images and pixels: [C]. A blocked map is laid out as the depthwise filter of its size. */
export const blockedMeanProduct = (
  a: Arithmetic,
  left: Value,
  right: Value,
  { channels, height, width }: MapShape,
): Value => {
  const { graph, images } = a;
  const all = images * channels;
  const filter = reshape(a, right, all, 1, height, width);
  const sums = graph.node(nchwc("Conv"), [reshape(a, left, 1, all, height, width), filter], {
    group: all,
    kernel_shape: [height, width],
  });
  return sumOverImages(a, sums, images, [channels], 1 / (images * height * width));
};

/** factors * maps + bias per channel, then plus other maps, then ReLU. */
export const blockedAffine = (
  { graph }: Arithmetic,
  maps: Value,
  { channels }: MapShape,
  factors: Value,
  bias: Value,
  then: { readonly plus?: Value | undefined; readonly rectify?: boolean },
): Value =>
  graph.node(nchwc("Conv"), [maps, factors, bias, ...(then.plus === undefined ? [] : [then.plus])], {
    group: channels,
    kernel_shape: [1, 1],
    ...(then.rectify === true ? { activation: "Relu" } : {}),
  });

/** Maps in a frame of zeros, `size` pixels wide. */
export const blockedFrame = ({ graph, block }: Arithmetic, maps: Value, channels: number, size: number): Value => {
  const slots = slotsOf(channels, block).length;
  const ones = graph.constant(`ones_${slots}`, new Float32Array(slots).fill(1), [slots, 1, 1, 1]);
  return graph.node(nchwc("Conv"), [maps, ones], {
    group: slots,
    kernel_shape: [1, 1],
    pads: [size, size, size, size],
  });
};

/** A convolution's filters [O, I, k, k], in the network's channels, and the slots that they are read and written in. */
export interface BlockedFilter {
  readonly weight: Value;
  readonly outputs: Slots;
  /** Absent: the input is in rows. */
  readonly inputs: Slots | undefined;
  readonly kernel: number;
}

const inSlots = (a: Arithmetic, { weight, outputs, inputs }: BlockedFilter): Value =>
  spread(a, spread(a, weight, outputs, 4, 0), inputs, 4, 1);

const reordered = (a: Arithmetic, value: Value, split: readonly number[], perm: readonly number[]): Value =>
  a.graph.node("Transpose", [reshape(a, value, ...split)], { perm });

/** In the order in which the kernels read them. */
const forward = (a: Arithmetic, filter: BlockedFilter, inputs: number): Value => {
  const { kernel, outputs } = filter;
  const groups = outputs.length / a.block;
  const value =
    filter.inputs === undefined
      ? reordered(a, inSlots(a, filter), [groups, a.block, inputs, kernel, kernel], [0, 2, 3, 4, 1])
      : reordered(
          a,
          inSlots(a, filter),
          [groups, a.block, inputs / a.block, a.block, kernel, kernel],
          [0, 2, 4, 5, 3, 1],
        );
  return reshape(a, value, outputs.length, inputs, kernel, kernel);
};

/** Inputs and outputs exchanged, the taps mirrored. */
const backward = (a: Arithmetic, filter: BlockedFilter, inputs: number): Value => {
  const { kernel, outputs } = filter;
  const taps = kernel * kernel;
  const split = [outputs.length / a.block, a.block, inputs / a.block, a.block, taps];
  const exchanged = reordered(a, inSlots(a, filter), split, [2, 0, 4, 1, 3]);
  const mirrored = a.graph.ints(...Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const value = taps === 1 ? exchanged : a.graph.node("Gather", [exchanged, mirrored], { axis: 2 });
  return reshape(a, value, inputs, outputs.length, kernel, kernel);
};

export const blockedConvolve = (
  a: Arithmetic,
  input: Value,
  { channels }: MapShape,
  filter: BlockedFilter,
  window: Window,
  bias: readonly [Value] | readonly [] = [],
): Value => a.graph.node(nchwc("Conv"), [input, forward(a, filter, channels), ...bias], blockedWindow(window));

/** Gradient of the output -> gradient of the input, for stride 1. */
export const blockedInputGradient = (
  a: Arithmetic,
  gradient: Value,
  { channels }: MapShape,
  filter: BlockedFilter,
  { kernel, padding }: Window,
): Value => {
  const back = blockedWindow({ kernel, stride: 1, padding: kernel - 1 - padding });
  return a.graph.node(nchwc("Conv"), [gradient, backward(a, filter, channels)], back);
};

type PointwiseShape = Pick<MapShape, "height" | "width"> & { readonly inputs: number; readonly outputs: number };

/** Whether `blockedPointwiseGradient` can do it, and an image's part of the maps stays in the processor's cache. */
export const fitsPointwise = ({ block }: Arithmetic, { height, width }: PointwiseShape): boolean =>
  (height * width) % block === 0 && height * width <= 4096;

/**
 * Gradient of the output in rows and the blocked input -> gradient of the weights of a 1x1 convolution, [O, I]. The
 * blocked maps of an image are laid out as filters that read every block of an image's pixels as channels: a convolution
 * of the rows with them sums over the pixels, and the maps need not go into rows.
 */
export const blockedPointwiseGradient = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  { height, width, inputs, outputs }: PointwiseShape,
): Value => {
  const { graph, images, block } = a;
  const steps = (height * width) / block;
  const rows = reshape(a, gradient, 1, images * block, 1, outputs * steps);
  const filters = reshape(a, input, images * inputs, block, 1, steps);
  const sums = graph.node(nchwc("Conv"), [rows, filters], {
    group: images,
    kernel_shape: [1, steps],
    strides: [1, steps],
  });
  const total = sumOverImages(a, sums, images, [inputs / block, outputs, block]);
  return reshape(a, graph.node("Transpose", [total], { perm: [1, 0, 2] }), outputs, inputs);
};

type BelowShape = Pick<MapShape, "channels" | "height" | "width"> & {
  readonly images: number;
  readonly columns: number;
  readonly taps: number;
};

/** Whether `blockedCorrelationBelow` can do it: a row of pixels is whole blocks. */
export const fitsBelow = ({ block }: Arithmetic, { height, width }: Pick<MapShape, "height" | "width">): boolean =>
  width % block === 0 && height * width <= 4096;

/**
 * Rows [N, columns, height + taps - 1, width] times blocked maps, the maps moved down by every y below `taps`, summed over
 * the pixels and images: [taps, channels, columns]. As in `blockedPointwiseGradient`; one convolution makes all moves.
 */
export const blockedCorrelationBelow = (
  a: Arithmetic,
  rows: Value,
  maps: Value,
  { images, channels, height, width, columns, taps }: BelowShape,
): Value => {
  const { graph, block } = a;
  const [step, steps] = [width / block, (height * width) / block];
  const lines = reshape(a, rows, 1, images * block, columns, (height + taps - 1) * step);
  const filters = reshape(a, maps, images * channels, block, 1, steps);
  const sums = graph.node(nchwc("Conv"), [lines, filters], {
    group: images,
    kernel_shape: [1, steps],
    strides: [1, step],
  });
  const total = sumOverImages(a, sums, images, [channels / block, columns, taps, block]);
  return reshape(a, graph.node("Transpose", [total], { perm: [2, 0, 3, 1] }), taps, channels, columns);
};

/** 2x2 averages, stride 2, and back: every pixel four times. */
export const blockedHalved = ({ graph }: Arithmetic, maps: Value): Value =>
  graph.node(nchwc("AveragePool"), [maps], { kernel_shape: [2, 2], strides: [2, 2] });
export const blockedDoubled = ({ graph }: Arithmetic, maps: Value): Value =>
  graph.node(nchwc("Upsample"), [maps], { scales: [1, 1, 2, 2], mode: "nearest" });
