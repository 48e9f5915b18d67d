/** Estimates an illumination function from images: what they have in common, smoothed. */
import type { SitePixels } from "./read-site.ts";

/**
 * One function per channel with mean 1, from the mean of the images. `smoothing` is the radius of a box that is passed
 * over it three times, as a part of the shorter side; three boxes are nearly a Gaussian.
 */
export const estimateField = (images: readonly SitePixels[], smoothing: number): readonly Float64Array[] => {
  const { channels, height, width } = images[0]!;
  const area = height * width;
  const radius = Math.max(1, Math.round(smoothing * Math.min(height, width)));
  return Array.from({ length: channels }, (_, channel) => {
    let field = new Float64Array(area);
    for (const { pixels } of images) for (let i = 0; i < area; i++) field[i]! += pixels[channel * area + i]!;
    for (let pass = 0; pass < 3; pass++)
      field = boxMean(boxMean(field, height, width, radius, 1), width, height, radius, width);
    const mean = field.reduce((sum, value) => sum + value, 0) / area;
    // A place that is all but dark shows nothing of its light.
    return mean === 0 ? field.fill(1) : field.map((value) => Math.max(value / mean, 0.05));
  });
};

/** Mean over 2 * radius + 1 neighbours along one axis; at the borders over those that there are. */
const boxMean = (
  from: Float64Array,
  lines: number,
  length: number,
  radius: number,
  step: number,
): Float64Array<ArrayBuffer> => {
  const to = new Float64Array(from.length);
  const nextLine = step === 1 ? length : 1;
  for (let line = 0; line < lines; line++) {
    const start = line * nextLine;
    let [sum, count] = [0, 0];
    for (let i = -radius; i < length; i++) {
      const entering = i + radius;
      if (entering < length) {
        sum += from[start + entering * step]!;
        count += 1;
      }
      if (i < 0) continue;
      to[start + i * step] = sum / count;
      const leaving = i - radius;
      if (leaving >= 0) {
        sum -= from[start + leaving * step]!;
        count -= 1;
      }
    }
  }
  return to;
};
