/** The options of every command that opens a dataset. */
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { layouts } from "../../datasets/layouts.ts";
import type { OpenOptions } from "../../datasets/opening.ts";
import { roles } from "../../datasets/roles.ts";
import { isUrl } from "../../screen/prefix-map.ts";

export interface DatasetOptions {
  readonly layout?: string;
  readonly column?: Readonly<Record<string, string>>;
  readonly where?: string;
  readonly channels?: string[];
  readonly plane?: number | "max";
  readonly time?: number;
  readonly level?: number;
  readonly encoding?: string;
  readonly plateMap?: string;
  readonly map?: Readonly<Record<string, string>>;
}

const choice = (text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> => {
  const [, role, column] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (role === undefined || column === undefined)
    throw new InvalidArgumentError("It is ROLE=NAME, as class=Metadata_compound.");
  return { ...previous, [role]: column };
};

const prefix = (text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> => {
  const [, from, to] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (from === undefined || to === undefined)
    throw new InvalidArgumentError("It is PREFIX=PLACE, as s3://bucket=/mnt/bucket.");
  return { ...previous, [from]: isUrl(to) ? to : resolve(to) };
};

const names = (text: string): string[] => text.split(",").map((name) => name.trim());

const wholeNumber = (text: string): number => {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a whole number.");
};

/** `--layout`, and what readers of tables need to know where names do not say it. */
export const withDatasetOptions = (command: Command): Command =>
  command
    .addOption(
      new Option("--layout <name>", "layout of the dataset on disk (default: found out from its files)").choices([
        "auto",
        ...layouts.map(({ name }) => name),
      ]),
    )
    .option(
      "--column <role=name>",
      `column of a table that its name does not show; roles are ${roles.join(", ")} and image:CHANNEL; may be given several times`,
      choice,
    )
    .option("--where <expression>", `read the rows of tables for which it is true, as in 'Metadata_Site != "test"'`)
    .option("--channels <list>", "channels to read, by name and in this order (default: all)", names)
    .option("--plane <number|max>", "plane of z-stacks to read, or the maximum over all", (text) =>
      text === "max" ? text : wholeNumber(text),
    )
    .option("--time <number>", "time point to read, where there are several", wholeNumber)
    .option(
      "--plate-map <file>",
      "table of wells (plate, well, class, kind of well, cell type), for images of instruments and OME-Zarr, whose files do not say it",
      (path) => resolve(path),
    )
    .option(
      "--map <prefix=place>",
      "images that lie elsewhere than the tables say, as s3://bucket=/mnt/bucket; may be given several times",
      prefix,
    )
    .option("--level <number>", "level of the pyramid of OME-Zarr images (default: 0, full resolution)", wholeNumber)
    .option("--encoding <name>", "encoding of tables (default: found out from their bytes)");

export const openOptionsOf = ({ column, ...options }: DatasetOptions): OpenOptions => ({
  layout: options.layout,
  columns: column,
  where: options.where,
  channels: options.channels,
  plane: options.plane,
  time: options.time,
  level: options.level,
  encoding: options.encoding,
  plateMap: options.plateMap,
  map: options.map,
});
