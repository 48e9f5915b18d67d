/** The one way from the sources of a site to its pixels, for runs, training and checks alike. */
import { PlatestreamError } from "../common/errors.ts";
import type { ImageSource } from "./image-source.ts";
import { type DecodedImage, decodeImage, type Geometry, type ImageHeader, readImageHeader } from "./images.ts";

/** What all images of an experiment share. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 16;
}

/** Row-major [channels, height, width]. */
export interface SitePixels {
  readonly pixels: Uint8Array | Uint16Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Reads one plane per source, in the order of the sources; a file that holds several is decoded once. All must have
 * `frame` after cutting and scaling, or that of the first channel where none is given.
 *
 * @throws PlatestreamError `unreadable-image`, with the file's name
 */
export const readSite = async (
  images: readonly ImageSource[],
  geometry: Geometry = {},
  frame?: Frame,
): Promise<SitePixels> => {
  const files = new Map<string, Promise<DecodedImage>>();
  for (const image of images) {
    const path = pathOf(image);
    if (!files.has(path)) files.set(path, decodeImage(path, geometry));
  }
  await Promise.all(files.values());
  const decoded = await Promise.all(images.map((image) => files.get(pathOf(image))!));
  const expected = frame ?? frameOf(decoded[0]!);
  const area = expected.width * expected.height;
  const pixels = new (expected.bits === 8 ? Uint8Array : Uint16Array)(images.length * area);
  for (const [channel, image] of decoded.entries()) {
    const path = pathOf(images[channel]!);
    requireFrame(path, frameOf(image), expected);
    const band = bandOf(images[channel]!);
    if (band >= image.bands)
      throw new PlatestreamError(
        "unreadable-image",
        `${path}: band ${band + 1} is needed, the file has ${image.bands}`,
      );
    if (image.bands === 1) pixels.set(image.pixels, channel * area);
    else for (let i = 0; i < area; i++) pixels[channel * area + i] = image.pixels[i * image.bands + band]!;
  }
  return { pixels, channels: images.length, height: expected.height, width: expected.width };
};

/** Reads what the source's file is like, without decoding its pixels. */
export const readSourceHeader = (source: ImageSource): Promise<ImageHeader> => readImageHeader(pathOf(source));

export const describeFrame = ({ width, height, bits }: Frame): string => `${width}x${height} pixels of ${bits} bit`;

const frameOf = ({ width, height, pixels }: DecodedImage): Frame => ({
  width,
  height,
  bits: pixels instanceof Uint8Array ? 8 : 16,
});

const requireFrame = (path: string, got: Frame, expected: Frame): void => {
  if (got.width === expected.width && got.height === expected.height && got.bits === expected.bits) return;
  throw new PlatestreamError(
    "unreadable-image",
    `${path}: the images of this experiment have ${describeFrame(expected)}, this one has ${describeFrame(got)}`,
  );
};

const pathOf = (source: ImageSource): string => {
  if (source.kind === "plane") return source.location;
  throw new PlatestreamError("unreadable-image", "maximum projections cannot be read yet");
};

const bandOf = (source: ImageSource): number => (source.kind === "plane" ? (source.plane?.band ?? 0) : 0);
