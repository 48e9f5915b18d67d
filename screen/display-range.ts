/** Which values of an image are shown as black and as white. Only for looking at it. */

/** The 0.1st and the 99.9th percentile; they differ by at least 1. */
export const displayRange = (pixels: Uint8Array | Uint16Array): readonly [low: number, high: number] => {
  const sorted = pixels.slice().sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const low = at(0.001);
  return [low, Math.max(at(0.999), low + 1)];
};
