/**
 * OME-TIFF with a companion file: `*.companion.ome` lists plates, wells and the images of their fields, and in which file and
 * page of it each channel, plane and time point lies. https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/
 */
import { basename, join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { wellAt } from "./fields.ts";
import { foldersUnder } from "./folders.ts";
import { type InstrumentImage, openInstrument } from "./instrument.ts";
import type { Layout } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { type Element, elementsAt, readXml, textOf } from "./xml.ts";

const depth = 2;
const companion = /\.companion\.ome$/i;

export const omeCompanion: Layout = {
  withoutLabels: true,
  expects: "*.companion.ome beside OME-TIFF files",
  async detect({ root, entries }) {
    if (entries === undefined) return companion.test(root);
    if (entries.includes("load_data.csv")) return false;
    for await (const { names } of foldersUnder(root, depth))
      if (names.some((name) => companion.test(name))) return true;
    return false;
  },
  async open({ root, entries }, opening) {
    const folder = entries === undefined ? join(root, "..") : root;
    const images: InstrumentImage[] = [];
    const tables: string[] = [];
    for await (const { path, names } of foldersUnder(folder, depth)) {
      for (const name of names.filter((each) => companion.test(each))) {
        if (entries === undefined && join(path, name) !== root) continue;
        tables.push(join(path, name));
        images.push(...(await readCompanion(path, join(path, name), opening)));
      }
    }
    return openInstrument(
      { layout: "ome-companion", root: folder, experiment: basename(folder), images, tables },
      opening,
    );
  },
};

const readCompanion = async (folder: string, path: string, opening: Opening): Promise<InstrumentImage[]> => {
  const [ome] = elementsAt(await readXml(path, opening), "OME");
  const images = new Map(elementsAt(ome, "Image").map((image) => [textOf(image, "ID"), image]));
  return elementsAt(ome, "Plate").flatMap((plate, index) =>
    elementsAt(plate, "Well").flatMap((place) => {
      // Rows and columns count from 0.
      const well = wellAt(Number(textOf(place, "Row")) + 1, Number(textOf(place, "Column")) + 1);
      const samples = elementsAt(place, "WellSample");
      if (well === undefined) {
        opening.problems.add({
          place: path,
          rule: "expected a well with Row and Column",
          detail: `, got ${textOf(place, "ID")}`,
        });
        return [];
      }
      return samples.flatMap((sample, site) => {
        const id = textOf(elementsAt(sample, "ImageRef")[0], "ID");
        const image = images.get(id);
        if (image !== undefined) {
          const name = textOf(plate, "Name") || `${index + 1}`;
          return planesOf(image, folder).map((found) => ({ plate: name, well, site: site + 1, ...found }));
        }
        if (id !== "")
          opening.problems.add({ place: path, rule: "a well names an image that is not listed", detail: `: ${id}` });
        return [];
      });
    }),
  );
};

type Planes = Omit<InstrumentImage, "plate" | "well" | "site">[];

/** Where each channel, plane and time point lies. A `TiffData` may cover several, in the order of the dimensions. */
const planesOf = (image: Element, folder: string): Planes => {
  const [pixels] = elementsAt(image, "Pixels");
  const names = elementsAt(pixels, "Channel").map(
    (channel, index) => textOf(channel, "Name") || `channel ${index + 1}`,
  );
  const order = textOf(pixels, "DimensionOrder") || "XYZCT";
  const sizes = { C: sizeOf(pixels, "SizeC"), Z: sizeOf(pixels, "SizeZ"), T: sizeOf(pixels, "SizeT") };
  const axes = [...order].filter((axis): axis is "C" | "Z" | "T" => axis in sizes);
  const found: Planes = [];
  for (const data of elementsAt(pixels, "TiffData")) {
    const [uuid] = elementsAt(data, "UUID");
    const first = { C: indexOf(data, "FirstC"), Z: indexOf(data, "FirstZ"), T: indexOf(data, "FirstT") };
    const start = axes.reduceRight((at, axis) => at * sizes[axis] + first[axis], 0);
    const planes = textOf(data, "PlaneCount");
    const count = planes !== "" ? Number(planes) : textOf(data, "IFD") !== "" ? 1 : sizes.C * sizes.Z * sizes.T - start;
    for (let step = 0; step < count; step++) {
      let rest = start + step;
      const at = { C: 0, Z: 0, T: 0 };
      for (const axis of axes) {
        at[axis] = rest % sizes[axis];
        rest = Math.floor(rest / sizes[axis]);
      }
      found.push({
        channel: names[at.C] ?? `channel ${at.C + 1}`,
        plane: at.Z + 1,
        time: at.T + 1,
        source: imageAt(join(folder, textOf(uuid, "FileName")), { frame: indexOf(data, "IFD") + step }),
      });
    }
  }
  return found;
};

const sizeOf = (pixels: unknown, name: string): number => Math.max(1, Number(textOf(pixels, name)) || 1);

const indexOf = (data: unknown, name: string): number => Number(textOf(data, name)) || 0;
