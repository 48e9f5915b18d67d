/**
 * Yokogawa CV7000 and CV8000: a folder per plate with `MeasurementData.mlf`, which lists every image. `MeasurementDetail.mrf`
 * names the plate, the measurement settings (`.mes`) the channels.
 */
import { basename, join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { wellAt } from "./fields.ts";
import { foldersUnder } from "./folders.ts";
import { type InstrumentImage, openInstrument } from "./instrument.ts";
import type { Layout } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { elementsAt, readXml, textOf } from "./xml.ts";

const depth = 3;
const list = "MeasurementData.mlf";

export const cv8000: Layout = {
  withoutLabels: true,
  expects: `${list}, in the folder or those inside it`,
  async detect({ root, entries }) {
    if (entries === undefined || entries.includes("load_data.csv")) return false;
    for await (const { names } of foldersUnder(root, depth)) if (names.includes(list)) return true;
    return false;
  },
  async open({ root }, opening) {
    const images: InstrumentImage[] = [];
    const tables: string[] = [];
    for await (const { path, names } of foldersUnder(root, depth)) {
      if (!names.includes(list)) continue;
      tables.push(join(path, list));
      images.push(...(await readPlate(path, names, opening)));
    }
    return openInstrument({ layout: "cv8000", root, experiment: basename(root), images, tables }, opening);
  },
};

const readPlate = async (folder: string, names: readonly string[], opening: Opening): Promise<InstrumentImage[]> => {
  const path = join(folder, list);
  const plate = (await plateName(folder, names, opening)) || basename(folder);
  const channels = await channelNames(folder, names, opening);
  const images: InstrumentImage[] = [];
  let errors = 0;
  for (const record of elementsAt(await readXml(path, opening), "MeasurementData", "MeasurementRecord")) {
    if (textOf(record, "Type") !== "IMG") {
      errors += 1;
      continue;
    }
    const number = (name: string) => Number(textOf(record, name));
    const well = wellAt(number("Row"), number("Column"));
    const file = textOf(record, "#text");
    if (well === undefined || file === "") {
      const rule = "expected a record with Row, Column and the name of a file";
      opening.problems.add({ place: path, rule, detail: `, got ${JSON.stringify(record)}` });
      continue;
    }
    images.push({
      plate,
      well,
      site: number("FieldIndex") || 1,
      channel: channels.get(textOf(record, "Ch")) ?? `C${textOf(record, "Ch").padStart(2, "0")}`,
      plane: number("ZIndex") || 1,
      time: number("TimePoint") || 1,
      source: imageAt(join(folder, file)),
    });
  }
  if (errors > 0) opening.note(`${path}: ${errors} images failed in the microscope and are left out`);
  return images;
};

const plateName = async (folder: string, names: readonly string[], opening: Opening): Promise<string> => {
  if (!names.includes("MeasurementDetail.mrf")) return "";
  const detail = await readXml(join(folder, "MeasurementDetail.mrf"), opening);
  return textOf(elementsAt(detail, "MeasurementDetail", "MeasurementSamplePlate")[0], "Name");
};

/** Channel numbers to fluorophores or, where none are given, excitations; only where these distinguish the channels. */
const channelNames = async (
  folder: string,
  names: readonly string[],
  opening: Opening,
): Promise<ReadonlyMap<string, string>> => {
  const settings = names.find((name) => name.endsWith(".mes"));
  if (settings === undefined) return new Map();
  const channels = elementsAt(
    await readXml(join(folder, settings), opening),
    "MeasurementSetting",
    "ChannelList",
    "Channel",
  );
  for (const attribute of ["Fluorophore", "Target"]) {
    const found = new Map(channels.map((channel) => [textOf(channel, "Ch"), textOf(channel, attribute)]));
    if (found.size > 0 && new Set(found.values()).size === found.size && ![...found.values()].includes(""))
      return found;
  }
  return new Map();
};
