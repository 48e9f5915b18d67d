/**
 * A table for everybody else: a CSV with a row per site, an image per channel and `Metadata_` columns, as Cell Painting
 * pipelines write it (`load_data.csv`). Any number of channels; 8 or 16 bit.
 *
 * Images: `URL_<channel>`, or `FileName_<channel>` with or without `PathName_<channel>`.
 * `Metadata_Plate`, `Metadata_Well` and `Metadata_Site` say where an image was taken. Optional: `Metadata_Experiment` or
 * `Metadata_Batch` (default: the file is one experiment), `Metadata_CellType` or `Metadata_Cell_Line` (default:
 * unknown), the class, and the kind of well. Everything else is kept as metadata.
 */
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PlatestreamError } from "../common/errors.ts";
import type { WellType } from "../screen/experiment.ts";
import { imageAt } from "../screen/image-source.ts";
import { hasColumns, type Problems, type Row, readTable, type Table } from "./csv.ts";
import { type Dataset, type ListedSite, makeDataset } from "./dataset.ts";
import { duplicateFinder, rowReader } from "./fields.ts";

const experimentColumns = ["Metadata_Experiment", "Metadata_Batch"];
const cellTypeColumns = ["Metadata_CellType", "Metadata_Cell_Type", "Metadata_Cell_Line"];
const labelColumns = ["Metadata_sirna", "Metadata_siRNA", "Metadata_Perturbation", "Metadata_broad_sample"];
const wellTypeColumns = ["Metadata_Well_Type", "Metadata_WellType", "Metadata_control_type", "Metadata_pert_type"];

/** What the kinds of wells are called in the tables of Cell Painting, beside our own names. */
const wellTypes: Readonly<Record<string, WellType>> = {
  treatment: "treatment",
  trt: "treatment",
  positive_control: "positive_control",
  poscon: "positive_control",
  negative_control: "negative_control",
  negcon: "negative_control",
  empty: "negative_control",
  untreated: "negative_control",
};

export const openTable = async (path: string, problems: Problems): Promise<Dataset> => {
  const table = await readTable(path);
  const channels = findChannels(table);
  const rows = hasColumns(table, ["Metadata_Plate", "Metadata_Well", "Metadata_Site"], problems) ? table.rows : [];
  const isNew = duplicateFinder(problems);
  const read = siteReader(table, problems);
  const listed = rows.flatMap((row): ListedSite[] => {
    const site = read(row);
    const paths = channels.map((channel) => imagePath(table, row, channel, problems));
    if (site === undefined) return [];
    if (!isNew(table, row, "Metadata_Site", [site.experiment, site.plate, site.well, site.site])) return [];
    const images = paths.flatMap((path) => (path === undefined ? [] : imageAt(path)));
    return images.length < paths.length ? [] : [{ site, images: () => images }];
  });
  return makeDataset({ layout: "table", root: path, channels: channels.map(({ name }) => name) }, listed, problems);
};

const siteReader = (table: Table, problems: Problems) => {
  const first = (names: readonly string[]) => names.find((name) => table.columns.includes(name));
  const experimentColumn = first(experimentColumns);
  const cellTypeColumn = first(cellTypeColumns);
  const labelColumn = first(labelColumns);
  const kindColumns = wellTypeColumns.filter((name) => table.columns.includes(name));
  const known = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", experimentColumn, cellTypeColumn, ...kindColumns];
  const extra = table.columns.filter((name) => name.startsWith("Metadata_") && !known.includes(name));
  return (row: Row): ListedSite["site"] | undefined => {
    const reader = rowReader(table, row, problems);
    const plate = reader.text("Metadata_Plate");
    const well = reader.well("Metadata_Well");
    const site = reader.number("Metadata_Site", 0);
    const experiment = experimentColumn ? reader.text(experimentColumn) : basename(table.path).replace(/\.\w+$/, "");
    const wellType = readWellType(table, row, kindColumns, problems);
    if (plate === undefined || well === undefined || site === undefined || experiment === undefined) return undefined;
    if (wellType === undefined) return undefined;
    const treatment = labelColumn === undefined ? "" : row.get(labelColumn);
    return {
      experiment,
      cellType: (cellTypeColumn && row.get(cellTypeColumn)) || "unknown",
      plate,
      well,
      site,
      wellType,
      ...(treatment === "" ? {} : { treatment }),
      metadata: Object.fromEntries(extra.map((name) => [name.replace("Metadata_", ""), row.get(name)])),
    };
  };
};

/** `Metadata_pert_type` says `control` where `Metadata_control_type` says which: the first telling column counts. */
const readWellType = (table: Table, row: Row, columns: readonly string[], problems: Problems): WellType | undefined => {
  const told = columns.find((column) => row.get(column) !== "");
  if (told === undefined) return "treatment";
  // Cell Painting tells kinds of positive controls apart: poscon_cp, poscon_diverse.
  const text = row.get(told).toLowerCase();
  const type = wellTypes[text.startsWith("poscon") ? "poscon" : text];
  if (type === undefined) problems.addField(table, row, told, `expected one of ${Object.keys(wellTypes).join(", ")}`);
  return type;
};

interface Channel {
  readonly name: string;
  readonly column: string;
  /** Column with the folder, where names and folders stand apart. */
  readonly folder?: string;
}

/** Illumination functions stand among the images of some tables; they are no channels. */
const findChannels = (table: Table): Channel[] => {
  for (const prefix of ["URL_", "FileName_"]) {
    const columns = table.columns.filter((name) => name.startsWith(prefix) && !name.startsWith(`${prefix}Illum`));
    if (columns.length > 0) return columns.map((column) => channelOf(table, column, prefix));
  }
  throw new PlatestreamError(
    "invalid-data",
    `${table.path} names no images: expected columns URL_<channel>, or FileName_<channel> and PathName_<channel>; ` +
      `got ${table.columns.join(",")}`,
  );
};

const channelOf = (table: Table, column: string, prefix: string): Channel => {
  const name = column.slice(prefix.length);
  const folder = `PathName_${name}`;
  const apart = prefix === "FileName_" && table.columns.includes(folder);
  return { name: name.replace(/^Orig/, ""), column, ...(apart ? { folder } : {}) };
};

/** Relative paths start from the table's folder. */
const imagePath = (table: Table, row: Row, { column, folder }: Channel, problems: Problems): string | undefined => {
  const text = row.get(column);
  const local = localPath(text);
  if (local === undefined)
    return void problems.addField(
      table,
      row,
      column,
      "expected the path of a file on this machine, downloaded if need be",
    );
  return resolve(dirname(table.path), folder === undefined ? "" : row.get(folder), local);
};

const localPath = (text: string): string | undefined => {
  if (!/^file:/i.test(text)) return text === "" || /^[a-z][a-z0-9+]+:/i.test(text) ? undefined : text;
  try {
    return fileURLToPath(text);
  } catch {
    return undefined; // another machine's file, or no URL at all
  }
};
