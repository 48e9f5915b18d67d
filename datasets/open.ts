/** Opens a dataset, whatever its layout. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import { reasonOf } from "../common/read-file.ts";
import type { Site } from "../screen/experiment.ts";
import { isUrl, type PrefixMap, relocate } from "../screen/prefix-map.ts";
import type { Dataset } from "./dataset.ts";
import { namesIn } from "./folders.ts";
import type { Layout, Place } from "./layout.ts";
import { layouts } from "./layouts.ts";
import { type Opening, type OpenOptions, type PlateMap, readColumns } from "./opening.ts";
import { readPlateMap } from "./plate-map.ts";
import { gatherProblems, kindOf, listByKind, type Problem, sentenceOf } from "./problems.ts";
import { roles } from "./roles.ts";

export type { Dataset } from "./dataset.ts";
export type { OpenOptions } from "./opening.ts";

/**
 * Reads the tables of a dataset; images are not touched.
 *
 * `dir` is the folder of a dataset in any of the layouts, the folder that a download of RxRx1 was unpacked in, or a table.
 * `onProblems` gets what is wrong with the rows instead of an error; the dataset then has the rows that are right.
 *
 * @throws PlatestreamError `invalid-data` with everything that is wrong with the tables, each with file, line and column;
 *   `invalid-config` where an option does not fit
 */
export const openDataset = async (
  dir: string,
  { onProblems, ...options }: OpenOptions & { onProblems?(problems: readonly Problem[]): void } = {},
): Promise<Dataset> => {
  const place = isUrl(dir) ? remotePlate(dir) : await locate(resolve(dir));
  const layout = await chooseLayout(options.layout ?? "auto", place);
  const problems = gatherProblems();
  const notes: string[] = [];
  const taken = new Map<string, string>();
  const given: Opening = {
    ...options,
    plateMap: undefined,
    columns: readColumns(options.columns ?? {}, roles),
    problems,
    note: (note) => void (notes.includes(note) || notes.push(note)),
    took: (what, from) => void (taken.has(what) || taken.set(what, from)),
  };
  const plateMap = options.plateMap === undefined ? undefined : await mapFor(layout, options.plateMap, given, place);
  const opening: Opening = plateMap === undefined ? given : { ...given, plateMap };
  const opened = await layout.open(place, opening);
  plateMap?.finish(opened.root);
  const tables = plateMap === undefined ? opened.tables : [...opened.tables, plateMap.path];
  const dataset = {
    ...withMap(opened, options.map),
    tables,
    notes,
    taken: [...taken].map(([what, from]) => ({ what, from })),
  };
  if (dataset.experiments.length === 0 && problems.found.length === 0) {
    problems.add({ place: dataset.root, rule: "a dataset lists sites", detail: ", this one lists no site" });
  }
  if (problems.found.length === 0) return dataset;
  if (onProblems === undefined) {
    const lines = listByKind(problems.found, kindOf, sentenceOf).map((line) => `  - ${line}`);
    throw new PlatestreamError("invalid-data", [`${dataset.root} cannot be read:`, ...lines].join("\n"));
  }
  onProblems(problems.found);
  return dataset;
};

const mapFor = async (layout: Layout, path: string, opening: Opening, { root }: Place): Promise<PlateMap> => {
  if (layout.withoutLabels === true) return readPlateMap(path, opening);
  throw new PlatestreamError(
    "invalid-config",
    `a plate map is for images whose files do not say what is in the wells; ${root} has a table that does`,
  );
};

const withMap = <T extends Pick<Dataset, "sites" | "load">>(opened: T, map: PrefixMap = {}): T => {
  if (Object.keys(map).length === 0) return opened;
  const moved = (site: Site): Site => ({ ...site, images: site.images.map((image) => relocate(image, map)) });
  return {
    ...opened,
    *sites(id: string) {
      for (const site of opened.sites(id)) yield moved(site);
    },
    async load(id: string) {
      const experiment = await opened.load(id);
      return { ...experiment, sites: experiment.sites.map(moved) };
    },
  };
};

/** Downloads unpack into a folder of these names. */
const downloads = ["rxrx1", "rxrx1_v1.0"];

const remotePlate = (dir: string): Place => {
  if (/\.zarr\/?$/i.test(dir)) return { root: dir.replace(/\/$/, ""), entries: undefined };
  throw new PlatestreamError(
    "invalid-data",
    `${dir}: of datasets that lie elsewhere, OME-Zarr plates (.zarr) are read; download the table of any other`,
  );
};

const locate = async (root: string): Promise<Place> => {
  const found = await stat(root).catch((cause) => {
    throw new PlatestreamError("invalid-data", `there is no folder or table ${root}: ${reasonOf(cause)}`, { cause });
  });
  if (!found.isDirectory()) return { root, entries: undefined };
  const entries = await namesIn(root);
  const inside = entries.includes("metadata.csv") ? undefined : downloads.find((name) => entries.includes(name));
  return inside === undefined ? { root, entries } : locate(join(root, inside));
};

const chooseLayout = async (wanted: string, place: Place): Promise<Layout> => {
  const named = layouts.find(({ name }) => name === wanted);
  if (named !== undefined) return named.load();
  if (wanted !== "auto") {
    const names = layouts.map(({ name }) => name).join(", ");
    throw new PlatestreamError("invalid-config", `the layout of a dataset is auto, ${names}; got "${wanted}"`);
  }
  const expected: string[] = [];
  for (const { name, load } of layouts) {
    const layout = await load();
    if (await layout.detect(place)) return layout;
    expected.push(`  - ${name}: ${layout.expects}`);
  }
  const { root, entries = [] } = place;
  const more = entries.length > 20 ? ` and ${entries.length - 20} more` : "";
  const held = entries.length === 0 ? "nothing" : `${entries.slice(0, 20).join(", ")}${more}`;
  const message = `${root} is not a dataset: it holds ${held}, and was expected to be one of`;
  throw new PlatestreamError("invalid-data", [message, ...expected].join("\n"));
};
