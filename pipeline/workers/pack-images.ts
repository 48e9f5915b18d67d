/** The images of a batch as workers take them: all pixels in one array. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Images } from "../../common/inference.ts";
import type { Affine, SiteImage } from "../../screen/site-image.ts";

type Image = Pick<SiteImage, "pixels" | "channels" | "height" | "width" | "affine">;

/**
 * Copies the pixels of images of equal shape and type.
 *
 * @param plates per image, position of its plate in the experiment
 * @throws PlatestreamError `invalid-request` where the images are not alike
 */
export const packImages = (images: readonly Image[], plates: readonly number[]): Images => {
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
          `a stage that crops or resizes them makes them equal`,
      );
    }
    pixels.set(image.pixels, index * length);
  }
  return {
    pixels,
    shape: [images.length, channels, height, width],
    plates,
    ...packAffines(images.map(({ affine }) => affine)),
  };
};

const packAffines = (affines: readonly (Affine | undefined)[]): Pick<Images, "scale" | "offset"> => {
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

const describe = ({ pixels, channels, height, width }: Image): string =>
  `${channels}x${height}x${width} (${pixels.length} values of ${pixels.BYTES_PER_ELEMENT === 2 ? "uint16" : "uint8"})`;
