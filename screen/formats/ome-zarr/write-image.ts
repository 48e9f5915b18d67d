/** Writes one field of a well as an image of OME-Zarr 0.4: its channels as a pyramid, and what was called as a label. */
import { join } from "node:path";
import type { SitePixels } from "../../read-site.ts";
import { type Planes, writeArray, writeGroup } from "./write-arrays.ts";

const version = "0.4";

/** How a viewer is to show a channel. */
export interface ShownChannel {
  readonly label: string;
  readonly low: number;
  readonly high: number;
}

/** One number over the whole image, and what viewers tell of it. */
export interface ImageLabel {
  /** Name of the layer. */
  readonly name: string;
  /** From 1; 0 means that there is nothing to show. */
  readonly value: number;
  /** Red, green, blue, from 0 to 255. */
  readonly colour: readonly [number, number, number];
  readonly properties: Readonly<Record<string, string | number>>;
}

/** Blue first, as nuclei are shown. */
const colours = ["0000FF", "00FF00", "FF0000", "00FFFF", "FF00FF", "FFFF00"] as const;

/** Levels halve until the longer side is at most this. */
const smallestSide = 128;

/** So that the image is seen through the label. */
const labelOpacity = 96;

export const writeOmeZarrImage = async (
  folder: string,
  name: string,
  site: SitePixels,
  channels: readonly ShownChannel[],
  label: ImageLabel,
): Promise<void> => {
  const { pixels, height, width } = site;
  const area = height * width;
  const planes = channels.map((_, c) => pixels.subarray(c * area, (c + 1) * area));
  const levels = pyramid({ planes, height, width });
  const most = pixels instanceof Uint8Array ? 255 : 65_535;
  await writeGroup(folder, {
    multiscales: [multiscale(name, ["c", "y", "x"], levels.length)],
    omero: {
      name,
      version,
      channels: channels.map(({ label: text, low, high }, c) => ({
        label: text,
        color: colours[c % colours.length],
        active: c < colours.length,
        window: { start: low, end: high, min: 0, max: most },
      })),
      rdefs: { model: "color" },
    },
  });
  for (const [i, level] of levels.entries()) await writeArray(join(folder, String(i)), level);
  await writeGroup(join(folder, "labels"), { labels: [label.name] });
  await writeLabel(join(folder, "labels", label.name), label, levels);
};

const writeLabel = async (folder: string, label: ImageLabel, levels: readonly Planes[]): Promise<void> => {
  const { name, value, colour, properties } = label;
  await writeGroup(folder, {
    multiscales: [multiscale(name, ["y", "x"], levels.length)],
    "image-label": {
      version,
      colors: [{ "label-value": value, rgba: [...colour, labelOpacity] }],
      properties: [{ "label-value": value, ...properties }],
      source: { image: "../../" },
    },
  });
  for (const [i, { height, width }] of levels.entries())
    await writeArray(
      join(folder, String(i)),
      { planes: [new Uint16Array(height * width).fill(value)], height, width },
      true,
    );
};

const multiscale = (name: string, axes: readonly string[], levels: number): object => ({
  version,
  name,
  axes: axes.map((axis) => ({ name: axis, type: axis === "c" ? "channel" : "space" })),
  datasets: Array.from({ length: levels }, (_, level) => ({
    path: String(level),
    coordinateTransformations: [{ type: "scale", scale: axes.map((axis) => (axis === "c" ? 1 : 2 ** level)) }],
  })),
});

const pyramid = (full: Planes): readonly Planes[] => {
  const levels = [full];
  for (let last = full; Math.max(last.height, last.width) > smallestSide; levels.push(last)) last = half(last);
  return levels;
};

/** Means of two by two pixels; of an odd side the last row or column counts for itself. */
const half = ({ planes, height, width }: Planes): Planes => {
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const shrunk = planes.map((plane) => {
    const smaller = plane instanceof Uint8Array ? new Uint8Array(rows * columns) : new Uint16Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      const top = 2 * y * width;
      const bottom = Math.min(2 * y + 1, height - 1) * width;
      for (let x = 0; x < columns; x++) {
        const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
        const sum = plane[top + left]! + plane[top + right]! + plane[bottom + left]! + plane[bottom + right]!;
        smaller[y * columns + x] = Math.round(sum / 4);
      }
    }
    return smaller;
  });
  return { planes: shrunk, height: rows, width: columns };
};
