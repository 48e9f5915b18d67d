/** What can be said of an image without knowing what it shows: brightness, contrast, focus and saturation per channel. */
import type { SitePixels } from "../../screen/read-site.ts";

export interface ChannelQuality {
  /** Grey levels. */
  readonly mean: number;
  /** Standard deviation, in grey levels. */
  readonly contrast: number;
  /** Variance of the Laplacian over that of the pixels: falls as an image is blurred (Pech-Pacheco et al. 2000). */
  readonly focus: number;
  /** Share of the pixels at the highest level that the file can hold. */
  readonly saturated: number;
}

/** Per channel. */
export const siteQuality = ({ pixels, channels, height, width }: SitePixels): ChannelQuality[] => {
  const white = pixels instanceof Uint8Array ? 255 : 65535;
  const area = height * width;
  return Array.from({ length: channels }, (_, c) => {
    const at = c * area;
    let [sum, squares, saturated] = [0, 0, 0];
    for (let i = at; i < at + area; i++) {
      const value = pixels[i]!;
      sum += value;
      squares += value * value;
      if (value === white) saturated += 1;
    }
    const mean = sum / area;
    const variance = Math.max(squares / area - mean * mean, 0);
    const focus = variance === 0 ? 0 : laplacianVariance(pixels, at, height, width) / variance;
    return { mean, contrast: Math.sqrt(variance), focus, saturated: saturated / area };
  });
};

const laplacianVariance = (pixels: SitePixels["pixels"], at: number, height: number, width: number): number => {
  let [sum, squares] = [0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, i = at + y * width + 1; x < width - 1; x++, i++) {
      const value = 4 * pixels[i]! - pixels[i - 1]! - pixels[i + 1]! - pixels[i - width]! - pixels[i + width]!;
      sum += value;
      squares += value * value;
    }
  }
  const count = Math.max((height - 2) * (width - 2), 1);
  return squares / count - (sum / count) ** 2;
};
