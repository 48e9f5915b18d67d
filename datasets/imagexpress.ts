/**
 * ImageXpress (Molecular Devices): a folder per plate, `TimePoint_<n>` and `ZStep_<n>` inside it where there are several, and
 * files `<name>_<well>_s<site>_w<channel>.tif`, with a random name behind each in folders of the database. `.HTD` files name
 * the channels. Images above the folders of planes are the instrument's projections.
 */
import { basename, dirname, join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { parseWell } from "./fields.ts";
import { foldersUnder } from "./folders.ts";
import { type InstrumentImage, openInstrument } from "./instrument.ts";
import type { Layout } from "./layout.ts";
import { readText } from "./text-file.ts";

const depth = 5;

const image =
  /^.*_([A-Z]{1,2}\d{2})(?:_s(\d+))?(?:_w(\d+?))?(_thumb)?([0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.tiff?$/i;

export const imagexpress: Layout = {
  withoutLabels: true,
  expects: "an .HTD file, or TimePoint_<n> and ZStep_<n> folders with <name>_<well>_s<site>_w<channel>.tif",
  async detect({ root, entries }) {
    if (entries === undefined || entries.includes("load_data.csv")) return false;
    for await (const { path, names } of foldersUnder(root, depth)) {
      if (names.some((name) => /\.htd$/i.test(name))) return true;
      const inStack = /^(?:TimePoint|ZStep)_\d+$/.test(basename(path));
      const found = names.some((name) => (inStack ? image.test(name) : image.exec(name)?.[5] !== undefined));
      if (found) return true;
    }
    return false;
  },
  async open({ root }, opening) {
    const images: InstrumentImage[] = [];
    const tables: string[] = [];
    const waves = new Map<string, ReadonlyMap<number, string>>();
    const channelOf = async (folder: string, number: number): Promise<string> => {
      let names = waves.get(folder);
      if (names === undefined) {
        names = await readWaves(folder, opening, tables);
        waves.set(folder, names);
      }
      return names.get(number) ?? `w${number}`;
    };
    for await (const { path, names } of foldersUnder(root, depth)) {
      const { plate, time, plane } = placeOf(path);
      for (const name of names) {
        const [, well = "", site = "1", wave = "1", thumbnail] = image.exec(name) ?? [];
        const parsed = parseWell(well);
        if (parsed === undefined || thumbnail !== undefined) continue;
        images.push({
          plate: basename(plate),
          well: parsed,
          site: Number(site),
          channel: await channelOf(plate, Number(wave)),
          plane,
          time,
          source: imageAt(join(path, name)),
        });
      }
    }
    const stacked = new Set(images.flatMap(({ plate, plane }) => (plane === "projection" ? [] : [plate])));
    const flat = images.map((each) =>
      each.plane === "projection" && !stacked.has(each.plate) ? { ...each, plane: 1 } : each,
    );
    return openInstrument({ layout: "imagexpress", root, experiment: basename(root), images: flat, tables }, opening);
  },
};

/** Plate folder, time point and plane in a folder's name and those above it. */
const placeOf = (folder: string): { plate: string; time: number; plane: number | "projection" } => {
  const step = /^ZStep_(\d+)$/.exec(basename(folder));
  const above = step === null ? folder : dirname(folder);
  const point = /^TimePoint_(\d+)$/.exec(basename(above));
  return {
    plate: point === null ? above : dirname(above),
    time: Number(point?.[1] ?? 1),
    plane: step === null ? "projection" : Number(step[1]),
  };
};

/** Names of the wavelengths in the first .HTD file in the plate's folder, where they are different. */
const readWaves = async (
  folder: string,
  opening: Parameters<Layout["open"]>[1],
  tables: string[],
): Promise<ReadonlyMap<number, string>> => {
  const found = new Map<number, string>();
  for await (const { path, names } of foldersUnder(folder, 0)) {
    const table = names.find((name) => /\.htd$/i.test(name));
    if (table === undefined) continue;
    tables.push(join(path, table));
    const { value } = await readText(join(path, table), opening, async (pieces) => {
      let text = "";
      for await (const piece of pieces) text += piece;
      return text;
    });
    for (const [, number, name] of value.matchAll(/^"WaveName(\d+)",\s*"([^"]+)"/gim)) found.set(Number(number), name!);
  }
  return new Set(found.values()).size === found.size ? found : new Map();
};
