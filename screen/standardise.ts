/** Mean and deviation of pixels, and the affine that makes them 0 and 1: for runs and training alike. */
import type { Affine } from "./site-image.ts";

/** Sums over pixels, per channel. */
export interface Moments {
  readonly count: number;
  readonly sum: readonly number[];
  readonly squares: readonly number[];
}

/** Of pixels [channels, height, width]. */
export const momentsOf = ({
  pixels,
  channels,
}: {
  readonly pixels: Uint8Array | Uint16Array;
  readonly channels: number;
}): Moments => {
  const area = pixels.length / channels;
  const sums = Array.from({ length: channels }, (_, c) => {
    let [sum, squares] = [0, 0];
    for (let i = c * area; i < (c + 1) * area; i++) {
      const value = pixels[i]!;
      sum += value;
      squares += value * value;
    }
    return { sum, squares };
  });
  return { count: area, sum: sums.map(({ sum }) => sum), squares: sums.map(({ squares }) => squares) };
};

/** Gives the pixels of all images together mean 0 and deviation 1 in every channel; a constant channel becomes 0. */
export const standardise = (images: readonly Moments[]): Affine => {
  const total = (of: (image: Moments) => number) => images.reduce((sum, image) => sum + of(image), 0);
  const count = total((image) => image.count);
  const channels = images[0]!.sum.map((_, c) => {
    const mean = total(({ sum }) => sum[c]!) / count;
    const variance = total(({ squares }) => squares[c]!) / count - mean ** 2;
    const scale = variance > 1e-6 ? 1 / Math.sqrt(variance) : 1;
    return { scale, offset: -mean * scale };
  });
  return { scale: channels.map(({ scale }) => scale), offset: channels.map(({ offset }) => offset) };
};
