/** What the results in a folder come from, so that no folder mixes the results of different settings. */
import { join, resolve } from "node:path";
import { z } from "zod";
import { readJson, replaceFile } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { parse } from "../../common/schema.ts";
import type { RunConfig } from "../config.ts";

/** A run's configuration with all else that decides its results. */
export interface ResultsConfig extends RunConfig {
  /** The networks that its workers hold. */
  readonly models: readonly ModelInfo[];
  /** Stages that were loaded from files, with a digest of their sources: `./blur.ts sha256:…`. */
  readonly plugins?: readonly string[];
  /** The recipe by which every experiment gets networks of its own, and what is mixed in; absent where none does. */
  readonly adapted?: string | undefined;
}

/** Only what changes results: other workers, more memory or further experiments may continue a run. */
const originSchema = z.object({
  data: z.string(),
  layout: z.string(),
  /** Which rows, columns, channels, planes and time points of the tables are read. */
  reading: z.array(z.string()).default([]),
  models: z.array(z.string()),
  stages: z.array(z.string()),
  plugins: z.array(z.string()).default([]),
  adapted: z.string().default("not"),
});
type Origin = z.output<typeof originSchema>;

const originOf = ({
  data,
  layout,
  models,
  stages,
  plugins = [],
  adapted = "not",
  ...config
}: ResultsConfig): Origin => ({
  data: resolve(data),
  layout,
  reading: readingOf(config),
  models: networksOf(models),
  stages: stages.map(({ use, options }) => `${use} ${JSON.stringify(sorted(options))}`),
  plugins: [...plugins].sort(),
  adapted,
});

const readingOf = ({
  columns,
  where,
  channels,
  plane,
  time,
  level,
  encoding,
}: Pick<RunConfig, "columns" | "where" | "channels" | "plane" | "time" | "level" | "encoding">): string[] => [
  ...Object.entries(columns)
    .map(([role, column]) => `column ${role}=${column}`)
    .sort(),
  ...Object.entries({ where, channels, plane, time, level, encoding }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  ),
];

const networksOf = (models: readonly ModelInfo[]): string[] =>
  [...new Set(models.map(({ name, cellType, version }) => `${name} ${cellType} ${version}`))].sort();

/** Whether a network is for the cell type of `model`. */
const isFor = ({ cellType }: ModelInfo, network: string): boolean =>
  network.slice(0, network.lastIndexOf(" ")).endsWith(` ${cellType}`);

const originFile = (folder: string): string => join(folder, "origin.json");

/** Undefined where no run has written to the folder. Throws "invalid-data" where the file is damaged. */
export const readOrigin = async (folder: string): Promise<Origin | undefined> => {
  const path = originFile(folder);
  const there = await readJson(path);
  return there === undefined ? undefined : parse(originSchema, there, path, "invalid-data");
};

/**
 * Marks the folder with its origin, or throws when it holds results of another. Networks may be added for cell types
 * that had none: a node learns of them as its workers come.
 */
export const checkOrigin = async (folder: string, config: ResultsConfig): Promise<void> => {
  const write = (origin: Origin) => replaceFile(originFile(folder), `${JSON.stringify(origin, null, 2)}\n`);
  const current = originOf(config);
  const there = await readOrigin(folder);
  if (there === undefined) return write(current);
  const onlyThere = there.models.filter((network) => !config.models.some((model) => isFor(model, network)));
  const added = networksOf(config.models.filter((model) => !there.models.some((network) => isFor(model, network))));
  const before: Origin = { ...there, models: [...there.models, ...added].sort() };
  const now: Origin = { ...current, models: [...current.models, ...onlyThere].sort() };
  const parts = Object.keys(now) as (keyof Origin)[];
  const changed = parts.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(now[part]));
  if (changed.length === 0) return added.length > 0 ? write(now) : undefined;
  throw otherRun(
    folder,
    changed.map((part) => `${part} ${difference(before[part], now[part])}`),
  );
};

/** The folder's results are not those of this run, for these reasons. */
export const otherRun = (folder: string, differences: readonly string[]): PlatestreamError =>
  new PlatestreamError(
    "invalid-config",
    `a run continues only what has the same data, networks, stages and plugins, and ${folder} holds results of another ` +
      `run (${differences.join("; ")}); give this run another --out, or drop what is there with --fresh`,
  );

const difference = (there: string | readonly string[], now: string | readonly string[]): string => {
  const only = (these: string | readonly string[], those: string | readonly string[]) =>
    [these]
      .flat()
      .filter((each) => ![those].flat().includes(each))
      .join(", ") || "none of that";
  return `were ${only(there, now)}, are ${only(now, there)}`;
};

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
};
