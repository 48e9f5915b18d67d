/** Images of OME-Zarr, on disk or in a store. A location is the group of one image: `plate.zarr/B/03/0`. */
import { open, type RangeQuery, get as readSelection, root, slice } from "zarrita";
import type { PlaneAddress } from "../../image-source.ts";
import { readIfThere } from "../../stores/read-if-there.ts";
import { unreadable } from "../../unreadable.ts";
import type { ValueRange } from "../../value-range.ts";
import { type Axes, type PlaneIndex, planesAt } from "../axes.ts";
import type { ImageFile, Plane } from "../format.ts";
import { pixelBits, type SampleValues, toPixels } from "../pixel-values.ts";
import { maximum } from "../projection.ts";
import { readImageMetadata } from "./metadata.ts";

export const isOmeZarr = (location: string): boolean => /\.zarr(\/|$)/i.test(location);

const openArray = async (location: string) => open(root(storeAt(location)), { kind: "array" });
type ZarrArray = Awaited<ReturnType<typeof openArray>>;

/**
 * What Zarr asks for, key by key. A writer may leave out a chunk that holds nothing but zeros, and a chunk that was lost
 * looks the same: so nothing is made up here.
 */
const storeAt = (location: string) => {
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    const content = await readIfThere(`${location}${key}`);
    if (content === undefined && !/(^|\/)(\.?z\w+|zarr\.json)$/.test(key))
      throw unreadable(`chunk ${key.slice(1)} of pixels is missing (Zarr would show zeros in its place)`);
    return content;
  };
  /** Shards hold many chunks: each is read once, as a whole. */
  const shards = new Map<string, Promise<Uint8Array | undefined>>();
  const getRange = async (key: string, range: RangeQuery): Promise<Uint8Array | undefined> => {
    const reading = shards.get(key) ?? get(key);
    shards.set(key, reading);
    const shard = await reading;
    if (shard === undefined) return undefined;
    const [from, to] =
      "suffixLength" in range
        ? [shard.length - range.suffixLength, shard.length]
        : [range.offset, range.offset + range.length];
    if (from >= 0 && to <= shard.length) return shard.subarray(from, to);
    throw unreadable(`the file is truncated or damaged: shard ${key.slice(1)} ends at byte ${shard.length}`);
  };
  return { get, getRange };
};

export const openOmeZarr = async (location: string): Promise<ImageFile> => {
  const { multiscales, omero } = await readImageMetadata(location);
  const { axes, datasets } = multiscales[0]!;
  const names = axes.map(({ name }) => name);
  if (names.at(-2) !== "y" || names.at(-1) !== "x" || names.some((name) => !"tczyx".includes(name)))
    throw unreadable(`expected the axes t, c, z, y, x or some of them in this order, got ${names.join(", ")}`);
  const labels = (omero?.channels ?? []).map(({ label = "" }) => label);
  const levels = new Map<number, Promise<Level>>();
  const levelAt = (level: number): Promise<Level> => {
    const dataset = datasets[level];
    if (dataset === undefined)
      throw unreadable(
        `level ${level} of the pyramid is asked for (counted from 0), and the image has ${datasets.length}`,
      );
    const opened = levels.get(level) ?? openLevel(`${location}/${dataset.path}`, names, labels);
    levels.set(level, opened);
    return opened;
  };
  const place = async (address: PlaneAddress) => {
    const level = await levelAt(address.level ?? 0);
    return { level, planes: planesAt(level.axes, address).map((plane) => indexAt(level.axes, plane)) };
  };
  return {
    header: async (address) => (await place(address)).level.header,
    read: (addresses, range) =>
      Promise.all(
        addresses.map(async (address) => {
          const { level, planes } = await place(address);
          return maximum(await Promise.all(planes.map((plane) => readPlane(level, plane, range))));
        }),
      ),
  };
};

interface Level {
  readonly array: ZarrArray;
  readonly names: readonly string[];
  readonly axes: Axes;
  readonly header: { readonly width: number; readonly height: number; readonly bits: 8 | 16 };
}

const openLevel = async (location: string, names: readonly string[], labels: readonly string[]): Promise<Level> => {
  const array = await inWords(() => openArray(location));
  if (array.shape.length !== names.length)
    throw unreadable(`the array has ${array.shape.length} axes, and the image says ${names.length}`);
  const size = (name: string) => (names.includes(name) ? array.shape[names.indexOf(name)]! : 1);
  const [, kind, depth] = /^(u?int|float)(8|16|32|64)$/.exec(array.dtype) ?? [];
  if (kind === undefined || (depth === "64" && kind !== "float"))
    throw unreadable(`pixels of type ${array.dtype} are not read`);
  return {
    array,
    names,
    axes: { order: "czt", c: size("c"), z: size("z"), t: size("t"), channels: labels },
    header: {
      width: size("x"),
      height: size("y"),
      bits: pixelBits(Number(depth), kind === "float" ? "float" : "unsigned"),
    },
  };
};

/** Back from the number of a plane, in the order czt. */
const indexAt = ({ c, z }: Axes, plane: number): PlaneIndex => ({
  c: plane % c,
  z: Math.floor(plane / c) % z,
  t: Math.floor(plane / (c * z)),
});

const readPlane = async ({ array, names, header }: Level, at: PlaneIndex, range?: ValueRange): Promise<Plane> => {
  const { width, height, bits } = header;
  const selection = names.map((name) => (name === "y" || name === "x" ? slice(null) : at[name as keyof PlaneIndex]));
  const { data } = (await inWords(() => readSelection(array, selection))) as unknown as { data: SampleValues };
  if (data.length !== width * height)
    throw unreadable("the file is damaged: chunks of another size than the array says");
  return { pixels: toPixels(data, bits, range), width, height };
};

const inWords = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (thrown) {
    if ((thrown as Error).name === "PlatestreamError") throw thrown;
    throw unreadable(
      `the array is damaged, or written in a way that is not read: ${(thrown as Error).message}`,
      thrown,
    );
  }
};
