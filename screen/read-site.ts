/** The one way from the sources of a site to its pixels, for runs, training and checks alike. */
import { PlatestreamError } from "../common/errors.ts";
import type { ImageHeader, Plane } from "./formats/format.ts";
import { maximum } from "./formats/projection.ts";
import { type Geometry, shape } from "./geometry.ts";
import { correctBy } from "./illumination.ts";
import type { ImageSource, PlaneSource } from "./image-source.ts";
import { withImageFile } from "./open-image.ts";
import { unreadable } from "./unreadable.ts";
import type { ValueRange } from "./value-range.ts";

/** What all images of an experiment share. */
export type Frame = ImageHeader;

/** How images are read, beside where they lie. */
export interface Reading extends Geometry {
  /** Values of signed, 32-bit and float images that become 0 and 65535. */
  readonly range?: ValueRange | undefined;
  /** Divides images by the illumination functions that their sources name. */
  readonly illumination?: boolean | undefined;
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
  reading: Reading = {},
  frame?: Frame,
): Promise<SitePixels> => {
  const planes = await Promise.all(readSources(images, reading));
  const expected = frame ?? frameOf(planes[0]!);
  const area = expected.width * expected.height;
  const pixels = new (expected.bits === 8 ? Uint8Array : Uint16Array)(images.length * area);
  for (const [channel, plane] of planes.entries()) {
    requireFrame(images[channel]!, frameOf(plane), expected);
    pixels.set(plane.pixels, channel * area);
  }
  return { pixels, channels: images.length, height: expected.height, width: expected.width };
};

/** One promise per source, each with a reason of its own. */
export const readSources = (images: readonly ImageSource[], reading: Reading = {}): Promise<Plane>[] => {
  const wanted = new Map<string, PlaneSource[]>();
  for (const source of images.flatMap(planesOf)) {
    const others = wanted.get(source.location);
    if (others === undefined) wanted.set(source.location, [source]);
    else others.push(source);
  }
  const files = new Map(
    [...wanted].map(([location, sources]) => [location, readPlanes(location, sources, reading)] as const),
  );
  return images.map(async (source) => {
    const planes = await Promise.all(
      planesOf(source).map(async (plane) => (await files.get(plane.location)!).get(plane)!),
    );
    return located(source, async () => shape(maximum(planes), reading));
  });
};

/** Reads what the source's plane is like, without decoding its pixels. */
export const readSourceHeader = (source: ImageSource): Promise<ImageHeader> => {
  const plane = planesOf(source)[0]!;
  return located(plane, () => withImageFile(plane.location, (file) => file.header(plane.plane ?? {})));
};

const readPlanes = async (
  location: string,
  sources: readonly PlaneSource[],
  { range, illumination = false }: Reading,
): Promise<ReadonlyMap<PlaneSource, Plane>> => {
  const addresses = sources.map(({ plane }) => plane ?? {});
  const all = sources.flatMap(({ checksum }) => checksum ?? []);
  const checksums = all.filter(({ hex }, i) => all.findIndex((other) => other.hex === hex) === i);
  const planes = await located(sources[0]!, () =>
    withImageFile(location, (file) => file.read(addresses, range), checksums),
  );
  const corrected = sources.map(async (source, i): Promise<[PlaneSource, Plane]> => {
    if (!illumination || source.illumination === undefined) return [source, planes[i]!];
    return [source, await located(source, () => correctBy(planes[i]!, source.illumination!))];
  });
  return new Map(await Promise.all(corrected));
};

const planesOf = (source: ImageSource): readonly PlaneSource[] => (source.kind === "plane" ? [source] : source.planes);

/** Puts the file's name in front of what was wrong with it. */
const located = async <T>(source: ImageSource, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (thrown) {
    throw PlatestreamError.from(thrown, "unreadable-image").at(planesOf(source)[0]!.location);
  }
};

export const describeFrame = ({ width, height, bits }: Frame): string => `${width}x${height} pixels of ${bits} bit`;

export const frameOf = ({ width, height, pixels }: Plane): Frame => ({
  width,
  height,
  bits: pixels instanceof Uint8Array ? 8 : 16,
});

const requireFrame = (source: ImageSource, got: Frame, expected: Frame): void => {
  if (got.width === expected.width && got.height === expected.height && got.bits === expected.bits) return;
  throw unreadable(
    `the images of this experiment have ${describeFrame(expected)}, this one has ${describeFrame(got)}`,
  ).at(planesOf(source)[0]!.location);
};
