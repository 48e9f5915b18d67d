/** What a convolution reads and writes. */

import type { Window } from "../../gpu-worker/network/densenet.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { Arithmetic } from "./arithmetic.ts";

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

/** From the gradient of a convolution's output, and its input, to the gradient of its weights. */
export type WeightGradient = (
  a: Arithmetic,
  gradient: Value,
  input: Value,
  window: Window,
  shape: ConvolutionShape,
) => Value;

export const outputSize = (size: number, { kernel, stride, padding }: Window): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;

/** A window over [N, H, W] that keeps the images apart, as attributes of a convolution or pool. */
export const windowAttributes = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [1, kernel, kernel],
  strides: [1, stride, stride],
  pads: [0, padding, padding, 0, padding, padding],
});
