/**
 * Leaves out-of-focus sites out of a run.
 *
 * Sharpness of a channel = variance of the Laplacian over the variance of the pixels: fine structure makes it large,
 * defocus makes it small, and brightness or stain do not matter (Pech-Pacheco et al. 2000, divided by the variance so
 * that experiments of different exposure compare). A site counts as its sharpest channel.
 *
 * In a run's configuration, after `decode`:
 *
 * ```yaml
 * stages:
 *   - decode
 *   - ./plugins/in-focus.ts: { threshold: 0.01 }
 *   - normalize
 * ```
 */
import { defineStage, type SiteImage, z } from "platestream/plugin";
import { filter } from "rxjs";

export default defineStage({
  name: "in-focus",
  description: "Leaves out sites whose sharpest channel has little fine structure.",
  input: "site-image",
  output: "site-image",
  config: z.strictObject({
    threshold: z.number().min(0).default(0.01).describe("least sharpness of a site that stays"),
  }),
  apply: ({ threshold }, { leaveOut }) =>
    filter((image) => {
      const sharpness = sharpestChannel(image);
      if (sharpness >= threshold) return true;
      leaveOut(image.site, `out of focus: sharpness ${sharpness.toFixed(4)} is below ${threshold}`);
      image.lease.release();
      return false;
    }),
});

const sharpestChannel = ({ pixels, channels, height, width }: SiteImage): number => {
  const sharpness = Array.from({ length: channels }, (_, c) =>
    sharpnessOf(pixels.subarray(c * height * width, (c + 1) * height * width), height, width),
  );
  return Math.max(...sharpness);
};

const sharpnessOf = (pixels: Uint8Array | Uint16Array, height: number, width: number): number => {
  let [sum, squares, edges, edgeSquares] = [0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const value = pixels[at]!;
      const laplacian = 4 * value - pixels[at - 1]! - pixels[at + 1]! - pixels[at - width]! - pixels[at + width]!;
      sum += value;
      squares += value * value;
      edges += laplacian;
      edgeSquares += laplacian * laplacian;
    }
  }
  const count = (height - 2) * (width - 2);
  const variance = squares / count - (sum / count) ** 2;
  return variance < 1e-9 ? 0 : (edgeSquares / count - (edges / count) ** 2) / variance;
};
