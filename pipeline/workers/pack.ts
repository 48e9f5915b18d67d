/** A batch as workers take it: the pixels of all images in one array. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Affine } from "../../screen/site-image.ts";
import type { ImageBatch } from "./workers.ts";

export interface PackedBatch {
  /** [N, C, H, W], row-major */
  readonly pixels: Uint8Array | Uint16Array;
  readonly shape: readonly [images: number, channels: number, height: number, width: number];
  /** C values where all images have the same, N*C where not; empty: the model's own. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** Bytes of pixels. */
export const batchBytes = ({ images }: ImageBatch): number =>
  images.reduce((sum, { pixels }) => sum + pixels.byteLength, 0);

/** Copies the pixels, once. Throws "invalid-request" where the images of the batch are not alike. */
export const packBatch = ({ images }: ImageBatch): PackedBatch => {
  const [first] = images;
  if (first === undefined) throw new PlatestreamError("invalid-request", "a batch needs at least one image, got none");
  const { channels, height, width } = first;
  const length = channels * height * width;
  const wide = first.pixels instanceof Uint16Array;
  const { buffer } = Buffer.allocUnsafeSlow(images.length * length * (wide ? 2 : 1));
  const pixels = wide ? new Uint16Array(buffer) : new Uint8Array(buffer);
  for (const [index, image] of images.entries()) {
    const alike = image.channels === channels && image.height === height && image.width === width;
    if (!alike || image.pixels.length !== length || image.pixels instanceof Uint16Array !== wide) {
      throw new PlatestreamError(
        "invalid-request",
        `the images of a batch must have equal shapes and types, got ${describe(first)} and ${describe(image)}; ` +
          `decode's crop or resize makes them equal`,
      );
    }
    pixels.set(image.pixels, index * length);
  }
  return {
    pixels,
    shape: [images.length, channels, height, width],
    ...packAffines(images.map(({ affine }) => affine)),
  };
};

const packAffines = (affines: readonly (Affine | undefined)[]): Pick<PackedBatch, "scale" | "offset"> => {
  const given = affines.filter((affine) => affine !== undefined);
  const [first] = given;
  if (first === undefined) return { scale: [], offset: [] };
  if (given.length < affines.length) {
    throw new PlatestreamError(
      "invalid-request",
      `either all images of a batch have an affine or none, got ${given.length} of ${affines.length}; ` +
        `does a stage make images without the affine of those it was given?`,
    );
  }
  if (given.every((affine) => affine === first || equal(affine, first))) {
    return { scale: first.scale, offset: first.offset };
  }
  return { scale: given.flatMap(({ scale }) => scale), offset: given.flatMap(({ offset }) => offset) };
};

const equal = (a: Affine, b: Affine): boolean =>
  a.scale.every((value, channel) => value === b.scale[channel]) &&
  a.offset.every((value, channel) => value === b.offset[channel]);

const describe = ({ pixels, channels, height, width }: ImageBatch["images"][number]): string =>
  `${channels}x${height}x${width} (${pixels.length} values of ${pixels.BYTES_PER_ELEMENT === 2 ? "uint16" : "uint8"})`;
