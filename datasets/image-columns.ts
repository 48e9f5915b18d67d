/**
 * The columns of a table that say where images lie, one channel each: `FileName_<channel>` with or without
 * `PathName_<channel>`, or `URL_<channel>`; beside them `Frame_`, `Series_`, and a checksum in `SHA256_` or `MD5_`.
 */
import { dirname } from "node:path";
import { type Checksum, imageAt, type PlaneAddress, type PlaneSource } from "../screen/image-source.ts";
import type { Table } from "./csv-table.ts";
import { isAbsent, parseWhole } from "./fields.ts";
import { findColumn } from "./find-roles.ts";
import { isFile } from "./folders.ts";
import { locationOf } from "./locations.ts";
import type { Opening } from "./opening.ts";

export interface ImageColumns {
  readonly name: string;
  /** Column with the path or URL. */
  readonly column: string;
  /** Column with the folder, where names and folders stand apart. */
  readonly folder?: string;
  readonly frame?: string;
  readonly series?: string;
  readonly md5?: string;
  readonly sha256?: string;
  /** Where the illumination function of the channel stands. */
  readonly illumination?: Pick<ImageColumns, "column" | "folder">;
}

const kinds = ["filename", "pathname", "url", "frame", "series", "md5", "sha256"] as const;
type Kind = (typeof kinds)[number];

const header = new RegExp(`^(?:image[_ .-])?(${kinds.join("|")})[_ .-](.+)$`, "i");

/**
 * The channels of a table in the order of their columns; those that the user named come first. Illumination functions stand
 * among the images of some tables; they are not channels. Where a table has names and URLs, whichever can be found on this
 * machine is taken, by the first row that has both.
 */
export const findChannels = async (table: Table, opening: Opening): Promise<readonly ImageColumns[]> => {
  const chosen = [...opening.columns.images].flatMap(([name, wanted]): ImageColumns[] => {
    const column = findColumn(table, wanted);
    if (column !== undefined) return [{ name, column }];
    opening.problems.add({ place: `${table.path}:1`, rule: `--column image:${name}=${wanted} names no column` });
    return [];
  });
  const found = new Map<string, Map<Kind, string>>();
  for (const column of table.columns) {
    const [, kind, channel] = header.exec(column) ?? [];
    if (kind === undefined || channel === undefined) continue;
    const columns = found.get(channel) ?? new Map<Kind, string>();
    found.set(channel, columns.set(kind.toLowerCase() as Kind, column));
  }
  const recognised: ImageColumns[] = [];
  for (const [channel, columns] of found) {
    if (/^illum/i.test(channel) || (!columns.has("filename") && !columns.has("url"))) continue;
    const name = channel.replace(/^Orig(?=.)/, "");
    const illumination = illuminationOf(found, name);
    const image = await columnsOf(table, name, columns, opening);
    recognised.push(illumination === undefined ? image : { ...image, illumination });
  }
  return [...chosen, ...recognised.filter(({ name }) => !opening.columns.images.has(name))];
};

/** `FileName_IllumDNA` or `URL_IllumDNA` belongs to `FileName_OrigDNA`. */
const illuminationOf = (
  found: ReadonlyMap<string, ReadonlyMap<Kind, string>>,
  name: string,
): ImageColumns["illumination"] => {
  const [, columns] = [...found].find(([channel]) => channel.toLowerCase() === `illum${name}`.toLowerCase()) ?? [];
  const [file, folder, url] = [columns?.get("filename"), columns?.get("pathname"), columns?.get("url")];
  if (file !== undefined) return { column: file, ...(folder === undefined ? {} : { folder }) };
  return url === undefined ? undefined : { column: url };
};

const columnsOf = async (
  table: Table,
  name: string,
  columns: ReadonlyMap<Kind, string>,
  opening: Opening,
): Promise<ImageColumns> => {
  const optional = (kind: "frame" | "series" | "md5" | "sha256") => {
    const column = columns.get(kind);
    return column === undefined ? {} : { [kind]: column };
  };
  const extras = { ...optional("frame"), ...optional("series"), ...optional("md5"), ...optional("sha256") };
  const [file, folder, url] = [columns.get("filename"), columns.get("pathname"), columns.get("url")];
  const byFile =
    file === undefined ? undefined : { name, column: file, ...(folder === undefined ? {} : { folder }), ...extras };
  const byUrl = url === undefined ? undefined : { name, column: url, ...extras };
  if (byFile === undefined || byUrl === undefined) return (byFile ?? byUrl)!;
  const taken = (await isHere(table, byFile)) || !(await isElsewhereOrHere(table, byUrl)) ? byFile : byUrl;
  const other = taken === byFile ? url! : file!;
  opening.note(`${table.path}: the images of ${name} are taken from ${taken.column}, not from ${other}`);
  return taken;
};

const firstRow = (table: Table, { column }: ImageColumns): number | undefined => {
  for (let row = 0; row < table.rows; row++) if (table.get(row, column) !== "") return row;
  return undefined;
};

const firstLocation = (table: Table, columns: ImageColumns): string | undefined => {
  const row = firstRow(table, columns);
  if (row === undefined) return undefined;
  const found = locate(table, row, columns);
  return "location" in found ? found.location : undefined;
};

const isHere = async (table: Table, columns: ImageColumns): Promise<boolean> => {
  const location = firstLocation(table, columns);
  return location !== undefined && (await isFile(location));
};

const isElsewhereOrHere = async (table: Table, columns: ImageColumns): Promise<boolean> => {
  const location = firstLocation(table, columns);
  return location !== undefined && (!location.startsWith("/") || (await isFile(location)));
};

const locate = (table: Table, row: number, { column, folder }: Pick<ImageColumns, "column" | "folder">) =>
  locationOf(dirname(table.path), folder === undefined ? "" : table.get(row, folder), table.get(row, column));

/**
 * What is wrong with the image of a row, if anything is; `text` is what its column says. Cheap, because it is asked of every
 * image of a table.
 */
export const checkImage = (
  table: Table,
  row: number,
  channel: ImageColumns,
  text: string,
): { column: string; rule: string } | undefined => {
  if (!isPlainPath(text) || (channel.folder !== undefined && !isPlainPath(table.get(row, channel.folder)))) {
    const found = locate(table, row, channel);
    if ("rule" in found) return { column: channel.column, rule: found.rule };
  }
  for (const column of [channel.frame, channel.series]) {
    if (column !== undefined && !isAbsent(table.get(row, column)) && parseWhole(table.get(row, column)) === undefined) {
      return { column, rule: "expected a whole number from 0" };
    }
  }
  for (const [column, digits] of [
    [channel.md5, 32],
    [channel.sha256, 64],
  ] as const) {
    if (column === undefined || isAbsent(table.get(row, column))) continue;
    if (!new RegExp(`^[0-9a-f]{${digits}}$`, "i").test(table.get(row, column))) {
      return { column, rule: `expected a checksum of ${digits} hex digits` };
    }
  }
  return undefined;
};

/** Nothing about it needs a second look. */
const isPlainPath = (text: string): boolean =>
  text !== "" && !text.includes(":") && !text.includes("\\") && !text.startsWith("//");

/** Only of images that were checked. */
export const imageOf = (table: Table, row: number, channel: ImageColumns): PlaneSource => {
  const found = locate(table, row, channel);
  const plane: { -readonly [K in keyof PlaneAddress]: PlaneAddress[K] } = {};
  for (const kind of ["frame", "series"] as const) {
    const column = channel[kind];
    const value = column === undefined ? undefined : parseWhole(table.get(row, column));
    if (value !== undefined) plane[kind] = value;
  }
  const checksum = checksumOf(table, row, channel);
  return imageAt("location" in found ? found.location : "", Object.keys(plane).length === 0 ? undefined : plane, {
    ...(checksum === undefined ? {} : { checksum }),
    ...illuminationAt(table, row, channel),
  });
};

/** Left out where the field is empty; a function that is named and missing is an error when it is to be used. */
const illuminationAt = (table: Table, row: number, { illumination }: ImageColumns) => {
  if (illumination === undefined || isAbsent(table.get(row, illumination.column))) return {};
  const found = locate(table, row, illumination);
  return "location" in found ? { illumination: found.location } : {};
};

const checksumOf = (table: Table, row: number, { md5, sha256 }: ImageColumns): Checksum | undefined => {
  for (const [algorithm, column] of [
    ["sha256", sha256],
    ["md5", md5],
  ] as const) {
    const hex = column === undefined ? "" : table.get(row, column);
    if (!isAbsent(hex)) return { algorithm, hex: hex.toLowerCase() };
  }
  return undefined;
};
