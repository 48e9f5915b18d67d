/**
 * Opera Phenix and Operetta (Harmony): `Index.idx.xml`, or `Index.xml`, in a folder of images per plate, listing every image
 * with its row, column, field, plane, time point and channel.
 */
import { basename, dirname, join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { wellAt } from "./fields.ts";
import { foldersUnder } from "./folders.ts";
import { type InstrumentImage, openInstrument } from "./instrument.ts";
import type { Layout } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { type Element, elementsAt, readXml, textOf } from "./xml.ts";

const depth = 4;
const indexName = /^index(?:\.idx)?\.xml$/i;

export const harmony: Layout = {
  withoutLabels: true,
  expects: "Index.idx.xml, in the folder or those inside it",
  async detect({ root, entries }) {
    if (entries === undefined) return indexName.test(basename(root));
    if (entries.includes("load_data.csv")) return false;
    for await (const { names } of foldersUnder(root, depth))
      if (names.some((name) => indexName.test(name))) return true;
    return false;
  },
  async open({ root, entries }, opening) {
    const folder = entries === undefined ? dirname(root) : root;
    const images: InstrumentImage[] = [];
    const tables: string[] = [];
    for await (const { path, names } of foldersUnder(folder, entries === undefined ? 0 : depth)) {
      const index = names.find((name) => indexName.test(name));
      if (index === undefined) continue;
      tables.push(join(path, index));
      images.push(...(await readPlate(path, join(path, index), opening)));
    }
    // Folder of the measurement rather than "Images".
    const experiment = basename(/^images$/i.test(basename(folder)) ? dirname(folder) : folder);
    return openInstrument({ layout: "harmony", root: folder, experiment, images, tables }, opening);
  },
};

const readPlate = async (folder: string, path: string, opening: Opening): Promise<InstrumentImage[]> => {
  const [data] = Object.values(await readXml(path, opening)).filter((each) => elementsAt(each, "Images").length > 0);
  const [about] = elementsAt(data, "Plates", "Plate");
  const plate = textOf(about, "Name") || textOf(about, "PlateID") || basename(folder);
  const channels = channelNames(data);
  const images: InstrumentImage[] = [];
  let failed = 0;
  for (const image of elementsAt(data, "Images", "Image")) {
    const state = textOf(image, "State");
    if (state !== "" && state.toLowerCase() !== "ok") {
      failed += 1;
      continue;
    }
    const number = (name: string) => Number(textOf(image, name));
    const well = wellAt(number("Row"), number("Col"));
    const url = textOf(image, "URL");
    if (well === undefined || url === "") {
      const rule = "expected an image with Row, Col and URL";
      opening.problems.add({ place: path, rule, detail: `, got ${JSON.stringify(image).slice(0, 200)}` });
      continue;
    }
    const channel = textOf(image, "ChannelID");
    images.push({
      plate,
      well,
      site: number("FieldID") || 1,
      channel: textOf(image, "ChannelName") || channels.get(channel) || `ch${channel}`,
      plane: number("PlaneID") || 1,
      time: number("TimepointID"),
      source: imageAt(join(folder, /^https?:/i.test(url) ? basename(new URL(url).pathname) : url)),
    });
  }
  if (failed > 0) opening.note(`${path}: ${failed} images failed in the microscope and are left out`);
  return images;
};

/** Newer versions keep what all images of a channel share apart. */
const channelNames = (data: unknown): ReadonlyMap<string, string> => {
  const entries: Element[] = elementsAt(data, "Maps", "Map", "Entry");
  return new Map(
    entries.flatMap((entry) => {
      const name = textOf(entry, "ChannelName");
      return name === "" ? [] : [[textOf(entry, "ChannelID"), name] as const];
    }),
  );
};
