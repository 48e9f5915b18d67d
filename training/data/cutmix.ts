/** CutMix (Yun et al. 2019): a box of every image comes from another one, and its target by the box's share of the area. */
import type { Images } from "../learner/learner.ts";

interface Frame {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** `share` of every image stays. One affine serves an image, so what is pasted is converted to its image's. */
export const pasteBoxes = (
  { pixels, scale, offset }: Images,
  target: Float32Array,
  partners: readonly number[],
  share: number,
  random: () => number,
  { channels, height, width }: Frame,
): Pick<Images, "pixels"> & { target: Float32Array } => {
  const side = Math.sqrt(1 - share);
  const [boxHeight, boxWidth] = [Math.round(side * height), Math.round(side * width)];
  const top = Math.floor(random() * (height - boxHeight + 1));
  const left = Math.floor(random() * (width - boxWidth + 1));
  const mixed = pixels.slice();
  const area = height * width;
  const white = pixels instanceof Uint8Array ? 255 : 65535;
  for (const [i, partner] of partners.entries()) {
    for (let c = 0; c < channels; c++) {
      const [own, other] = [i * channels + c, partner * channels + c];
      const factor = scale[other]! / scale[own]!;
      const shift = (offset[other]! - offset[own]!) / scale[own]! + 0.5;
      for (let y = top; y < top + boxHeight; y++) {
        for (let x = left, at = y * width + left; x < left + boxWidth; x++, at++) {
          const value = pixels[other * area + at]! * factor + shift;
          mixed[own * area + at] = Math.min(white, Math.max(0, value));
        }
      }
    }
  }
  const kept = 1 - (boxHeight * boxWidth) / area;
  const classes = target.length / partners.length;
  const targets = target.map((value, i) => {
    const partner = partners[Math.floor(i / classes)]!;
    return kept * value + (1 - kept) * target[partner * classes + (i % classes)]!;
  });
  return { pixels: mixed, target: targets };
};
