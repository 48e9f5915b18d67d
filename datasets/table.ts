/**
 * Tables for everybody else: a row per site, an image per channel and `Metadata_` columns, as Cell Painting pipelines write
 * them (`load_data.csv`). One table, or one per plate in a tree of folders.
 *
 * `roles.ts` says how columns are recognised, `image-columns.ts` how images are found. Without a column for the experiment
 * a table is one, named after its file; in a tree, after the folder above that of the plate.
 */
import { basename, dirname, join, relative, sep } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import { sameChannel } from "../screen/channels.ts";
import { chooseChannels } from "./channels.ts";
import { readTable, type Table } from "./csv-table.ts";
import type { SiteAddress } from "./dataset.ts";
import type { RoleColumns } from "./find-roles.ts";
import { foldersUnder } from "./folders.ts";
import { checkImage, findChannels, type ImageColumns, imageOf } from "./image-columns.ts";
import type { Layout, Place } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { choosePlanes } from "./planes.ts";
import { openSiteTable, type SiteTable } from "./read-sites.ts";
import { usualNames } from "./roles.ts";
import { findSameImages } from "./same-images.ts";
import { type SiteSource, siteList } from "./site-list.ts";

export const table: Layout = {
  expects: "load_data.csv, a single table (.csv, .tsv or .txt), or folders with one load_data.csv per plate",
  detect: async (place) => (await tablesAt(place)).length > 0,
  async open(place, opening) {
    const paths = await tablesAt(place);
    if (paths.length === 0) {
      const tables = tablesAmong(place.entries ?? []);
      throw new PlatestreamError(
        "invalid-data",
        `${place.root} must hold load_data.csv or a single table, got ${tables.join(", ") || "none"}; name the table itself`,
      );
    }
    return openTables(paths, place.root, opening);
  },
};

const tablesAmong = (names: readonly string[]): string[] =>
  names.filter((name) => /\.(?:csv|tsv|tab|txt)$/i.test(name));

/** `load_data_with_illum.csv` lists the sites of the `load_data.csv` beside it once more. */
const loadData = (names: readonly string[]): string | undefined =>
  ["load_data.csv", "load_data_with_illum.csv"].flatMap(
    (wanted) => names.find((name) => name.toLowerCase() === wanted) ?? [],
  )[0];

/** Batch, plate, and two levels around them. */
const depth = 4;

const tablesAt = async ({ root, entries }: Place): Promise<string[]> => {
  if (entries === undefined) return [root];
  const here = loadData(entries) ?? (tablesAmong(entries).length === 1 ? tablesAmong(entries)[0] : undefined);
  if (here !== undefined) return [join(root, here)];
  const found: string[] = [];
  for await (const { path, names } of foldersUnder(root, depth)) {
    const name = loadData(names);
    if (name !== undefined) found.push(join(path, name));
  }
  return found;
};

const openTables = async (paths: readonly string[], root: string, opening: Opening) => {
  const opened: { readonly table: Table; readonly channels: readonly ImageColumns[] }[] = [];
  for (const path of paths) {
    const table = await readTable(path, opening);
    const channels = await findChannels(table, opening);
    if (channels.length === 0) {
      throw new PlatestreamError(
        "invalid-data",
        `${path} names no images: expected columns URL_<channel>, or FileName_<channel> and PathName_<channel>, or ` +
          `--column image:<channel>=NAME; got ${table.columns.join(",")}`,
      );
    }
    opened.push({ table, channels });
  }
  const names = opened.flatMap(({ channels }) => channels.map(({ name }) => name));
  const all = names.filter((name, index) => names.findIndex((other) => sameChannel(other, name)) === index);
  const chosen = chooseChannels(all, opening);
  const list = siteList({ ...opening, projects: opening.plane === "max" });
  for (const { table, channels } of opened) {
    const wanted = chosen.flatMap(({ name }) => channels.find((channel) => sameChannel(channel.name, name)) ?? []);
    if (wanted.length < chosen.length) {
      const missing = chosen.filter(({ name }) => !channels.some((channel) => sameChannel(channel.name, name)));
      opening.problems.add({
        place: `${table.path}:1`,
        rule: `there are no columns for the channels ${missing.map(({ name }) => name).join(", ")} of the other tables`,
        detail: `; leave them out with --channels ${all.filter((name) => !missing.some((each) => each.name === name)).join(",")}`,
      });
      continue;
    }
    const experiment =
      paths.length === 1 ? basename(table.path).replace(/\.\w+$/, "") : folderOfBatch(root, table.path);
    const read = openSiteTable(
      table,
      { names: usualNames, needed: ["plate", "well"], experiment, cellType: () => "unknown" },
      opening,
    );
    if (read !== undefined) addRows(table, read, wanted, list, opening);
  }
  for (const { name, column, folder } of opened[0]!.channels) {
    opening.took(`images of ${name}`, `column ${column}${folder === undefined ? "" : ` in the folder of ${folder}`}`);
  }
  return list.finish({
    layout: "table",
    root: paths.length === 1 ? paths[0]! : root,
    channels: chosen.map(({ name }) => name),
    tables: paths,
    taken: [],
    notes: [],
  });
};

/** `Batch/Plate/load_data.csv`: the batch is an experiment. */
const folderOfBatch = (root: string, path: string): string => {
  const folders = relative(root, dirname(path)).split(sep);
  return folders.length >= 2 ? folders.at(-2)! : basename(root);
};

const addRows = (
  table: Table,
  read: SiteTable,
  channels: readonly ImageColumns[],
  list: ReturnType<typeof siteList>,
  opening: Opening,
): void => {
  const metadata = read.others
    .filter((name) => /^(?:image[_ .-])?metadata[_ .-]/i.test(name))
    .map((name) => [name.replace(/^(?:image[_ .-])?metadata[_ .-]/i, ""), name] as const);
  const source: SiteSource = {
    place: table.place,
    columns: columnNames(read.roles),
    images: (row) => channels.map((channel) => imageOf(table, row, channel)),
    metadata: (row) => Object.fromEntries(metadata.map(([name, column]) => [name, table.get(row, column)])),
  };
  const wanted = choosePlanes(table, read, opening);
  const same = findSameImages(table, channels);
  for (const { row, site, plane } of read.rows()) {
    if (!wanted(plane)) continue;
    const texts = channels.map(({ column }) => table.get(row, column));
    let right = true;
    for (const [index, channel] of channels.entries()) {
      const problem = checkImage(table, row, channel, texts[index]!);
      if (problem === undefined) continue;
      right = false;
      if (texts[index] !== "") opening.problems.addField(table, row, problem.column, problem.rule);
      else opening.problems.add({ place: table.place(row), ...missingChannel(site, channel, channels) });
    }
    if (!right) continue;
    list.add(site, source, row);
    same.look(row, texts);
  }
  for (const note of same.notes()) opening.note(note);
};

const missingChannel = (
  { plate, experiment }: SiteAddress,
  { name, column }: ImageColumns,
  all: readonly ImageColumns[],
) => {
  const others = all.filter((channel) => channel.name !== name).map((channel) => channel.name);
  const channel = others.length === 0 ? "" : `the channel out with --channels ${others.join(",")}, or `;
  return {
    column,
    rule: `plate ${plate} of ${experiment} has wells without an image of channel ${name}`,
    detail: `; leave ${channel}the rows out with --where`,
  };
};

const columnNames = (roles: RoleColumns): SiteSource["columns"] => ({
  site: roles.get("site") ?? roles.get("well") ?? "the site",
  class: roles.get("class") ?? "the class",
  wellType: roles.get("well-type") ?? "the type of well",
});
