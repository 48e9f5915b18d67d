/** Cutting and scaling of planes. */
import type { Plane } from "./formats/format.ts";
import { scaleSquare } from "./images.ts";
import { unreadable } from "./unreadable.ts";

export interface Geometry {
  /** Side of the square to cut out of the middle, in pixels of the file. */
  readonly crop?: number | undefined;
  /** Side to scale to afterwards. */
  readonly resize?: number | undefined;
}

export const shape = async (plane: Plane, { crop, resize }: Geometry): Promise<Plane> => {
  const cut = crop === undefined ? plane : cutMiddle(plane, crop);
  if (resize === undefined) return cut;
  if (cut.width !== cut.height)
    throw unreadable(
      `${cut.width}x${cut.height} pixels would be squashed into ${resize}x${resize}; ` +
        `cut out a square before (decode.crop: ${Math.min(cut.width, cut.height)})`,
    );
  return { pixels: await scaleSquare(cut.pixels, cut.width, resize), width: resize, height: resize };
};

const cutMiddle = ({ pixels, width, height }: Plane, side: number): Plane => {
  if (side > Math.min(width, height)) throw unreadable(`cannot cut ${side}x${side} out of ${width}x${height} pixels`);
  const [left, top] = [(width - side) >> 1, (height - side) >> 1];
  const cut = pixels.slice(0, side * side);
  for (let y = 0; y < side; y++) {
    const start = (top + y) * width + left;
    cut.set(pixels.subarray(start, start + side), y * side);
  }
  return { pixels: cut, width: side, height: side };
};
