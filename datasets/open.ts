/** Opens a dataset, whatever its layout. */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { listProblems, PlatestreamError } from "../common/errors.ts";
import { gatherProblems, type Problems } from "./csv.ts";
import type { Dataset, Layout } from "./dataset.ts";
import { openKaggle } from "./kaggle.ts";
import { openRxrx1 } from "./rxrx1.ts";
import { openTable } from "./table.ts";
import { openWilds } from "./wilds.ts";

export type { Dataset, Layout } from "./dataset.ts";

export interface OpenOptions {
  /** `auto` looks at the files. */
  readonly layout?: Layout | "auto" | undefined;
  /** Gets what is wrong with the rows instead of an error; the dataset has the rows that are right. */
  readonly onProblems?: (problems: readonly string[]) => void;
}

/**
 * Reads the tables of a dataset; images are not touched.
 *
 * `dir` is the folder of an RxRx1, Kaggle or WILDS download, the folder above it, a table, or a folder with one.
 *
 * @throws PlatestreamError `invalid-data` with everything that is wrong with the tables, each with file, line and column
 */
export const openDataset = async (dir: string, { layout = "auto", onProblems }: OpenOptions = {}): Promise<Dataset> => {
  const place = await locate(resolve(dir));
  const problems = gatherProblems();
  const dataset = await openLayout(layout === "auto" ? await guessLayout(place) : layout, place, problems);
  if (dataset.experiments.length === 0 && problems.found.length === 0) problems.add(`${dataset.root} lists no site`);
  if (problems.found.length === 0) return dataset;
  if (onProblems === undefined) {
    throw new PlatestreamError("invalid-data", listProblems(`${dataset.root} cannot be read:`, problems.found));
  }
  onProblems(problems.found);
  return dataset;
};

const openLayout = (layout: Layout, place: Place, problems: Problems): Promise<Dataset> => {
  switch (layout) {
    case "rxrx1":
      return openRxrx1(place.root, problems);
    case "wilds":
      return openWilds(place.root, problems);
    case "kaggle":
      return openKaggle(place.root, problems);
    case "table":
      return openTable(tableOf(place), problems);
  }
};

interface Place {
  readonly root: string;
  /** Names in the folder; undefined where the place is a file. */
  readonly entries: readonly string[] | undefined;
}

/** The downloads unpack into a folder of these names. */
const downloads = ["rxrx1", "rxrx1_v1.0"];

const locate = async (root: string): Promise<Place> => {
  const found = await stat(root).catch(() => undefined);
  if (found === undefined) throw new PlatestreamError("invalid-data", `there is no folder or table ${root}`);
  if (found.isFile()) return { root, entries: undefined };
  const entries = await readdir(root);
  const inside = entries.includes("metadata.csv") ? undefined : downloads.find((name) => entries.includes(name));
  return inside === undefined ? { root, entries } : locate(join(root, inside));
};

const guessLayout = async ({ root, entries }: Place): Promise<Layout> => {
  if (entries === undefined) return "table";
  if (entries.includes("metadata.csv")) {
    if (entries.includes("images")) return (await hasColourImages(join(root, "images"))) ? "wilds" : "rxrx1";
    throw new PlatestreamError(
      "invalid-data",
      `${root} has metadata.csv but no images/ beside it: unpack the images there, or name the table itself`,
    );
  }
  if (entries.includes("train.csv") || entries.includes("test.csv")) return "kaggle";
  if (entries.includes("load_data.csv") || tablesOf(entries).length === 1) return "table";
  throw new PlatestreamError(
    "invalid-data",
    `${root} is no dataset: expected metadata.csv and images/ (RxRx1, WILDS), train.csv or test.csv (Kaggle), ` +
      `load_data.csv, or a single CSV table; got ${entries.length === 0 ? "an empty folder" : entries.slice(0, 20).join(", ")}`,
  );
};

const tablesOf = (entries: readonly string[]): string[] => entries.filter((name) => name.endsWith(".csv"));

const tableOf = ({ root, entries }: Place): string => {
  if (entries === undefined) return root;
  const tables = entries.includes("load_data.csv") ? ["load_data.csv"] : tablesOf(entries);
  if (tables.length === 1) return join(root, tables[0]!);
  throw new PlatestreamError(
    "invalid-data",
    `${root} must hold load_data.csv or a single CSV table, got ${tables.join(", ") || "none"}; name the table itself`,
  );
};

/** WILDS has one file per site, `B02_s1.png`; RxRx1 one per channel, `B02_s1_w1.png`. The first file found decides. */
const hasColourImages = async (images: string): Promise<boolean> => {
  for (const experiment of await readdir(images)) {
    for (const plate of await readdir(join(images, experiment)).catch((): string[] => [])) {
      const files = await readdir(join(images, experiment, plate)).catch((): string[] => []);
      const file = files.find((name) => /_s\d+(?:_w\d+)?\.png$/.test(name));
      if (file !== undefined) return !file.includes("_w");
    }
  }
  return false;
};
