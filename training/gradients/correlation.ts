/** Products of maps, summed over their pixels: what the gradients of weights are made of. */
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, raise, reshape, sumOverImages, transposed } from "./arithmetic.ts";
import { blockedPointwiseGradient, fitsPointwise, toRows } from "./blocked-maps.ts";
import type { ConvolutionShape } from "./windows.ts";

/** left [r, p] times right [c, p] transposed -> [r, c], float32. */
export const correlate = (a: Arithmetic, left: Value, right: Value): Value =>
  raise(a, a.graph.node("MatMul", [left, transposed(a, right, 1, 0)]));

/** The same for [images, r, p] and [images, c, p], summed over the images. */
export const correlateApart = (
  a: Arithmetic,
  left: Value,
  right: Value,
  images: number,
  shape: [number, number],
): Value => sumOverImages(a, a.graph.node("com.microsoft:FusedMatMul", [left, right], { transB: 1 }), images, shape);

/** Rows [N, r, H * W] times the blocked input transposed, summed over the images -> [r, inputs]. */
export const blockedCorrelation = (a: Arithmetic, input: Value, shape: ConvolutionShape) => {
  const { images, inputs, height, width } = shape;
  if (fitsPointwise(a, shape))
    return (left: Value, outputs: number): Value => blockedPointwiseGradient(a, left, input, { ...shape, outputs });
  const right = reshape(a, toRows(a, input, inputs), images, inputs, height * width);
  return (left: Value, outputs: number): Value =>
    correlateApart(a, reshape(a, left, images, outputs, height * width), right, images, [outputs, inputs]);
};

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/**
 * The `taps` stretches of `length` along an axis that is (taps - 1) * step longer, one per step. By Split, which is spread
 * over threads; Slice is not.
 */
export const stretches = (
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
export const shiftedAcross = (a: Arithmetic, maps: Value, taps: number, width: number): Value =>
  a.graph.node("Concat", stretches(a, maps, taps, 1, width, 4), { axis: 1 });
