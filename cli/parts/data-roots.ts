/** A node reads what lies under its data roots, whatever a job asks for. */
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../../common/errors.ts";
import type { ListedExperiment } from "../../datasets/dataset.ts";
import { type OpenOptions, openDataset } from "../../datasets/open.ts";
import { requireWithin } from "../../datasets/text-file.ts";
import type { ExperimentRef } from "../../pipeline/bus/bus.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { locationsOf } from "../../screen/image-source.ts";
import { isUrl, liesBelow } from "../../screen/prefix-map.ts";

/** The folders themselves, whatever links led to them. Throws `invalid-config` where one is not a folder. */
export const realRoots = (dirs: readonly string[]): Promise<string[]> =>
  Promise.all(
    dirs
      .filter((dir) => !isUrl(dir))
      .map((dir) =>
        realpath(dir).catch(() => {
          throw new PlatestreamError(
            "invalid-config",
            `--data-root must be a folder, and there is none at ${resolve(dir)}`,
          );
        }),
      ),
  );

/** What a cache of datasets needs to know of one. */
export interface OpenedTables {
  readonly root: string;
  readonly experiments: readonly ListedExperiment[];
  /** Files that were read. */
  readonly tables: readonly string[];
}

/**
 * Opens datasets below `roots` and keeps the last ones: each is opened once for all who ask at the same time, and again
 * when a file that was read has changed since.
 */
export const cacheDatasets = <T extends OpenedTables>(
  roots: readonly string[],
  most: number,
  open: (data: string) => Promise<T>,
): ((data: string) => Promise<T>) => {
  const opened = new LRUCache<string, Promise<{ readonly dataset: T; readonly stamps: string }>>({ max: most });
  const read = async (data: string) => {
    const dataset = await open(data);
    return { dataset, stamps: await stampsOf(dataset.tables) };
  };
  const openAgain = (data: string) => {
    const reading = read(data);
    opened.set(data, reading);
    reading.catch(() => opened.delete(data));
    return reading;
  };
  return async (path) => {
    const data = await requireWithin(path, roots);
    const known = await (opened.get(data) ?? openAgain(data));
    if ((await stampsOf(known.dataset.tables)) === known.stamps) return known.dataset;
    return (await openAgain(data)).dataset;
  };
};

/** Changes whenever one of the files does. */
const stampsOf = async (paths: readonly string[]): Promise<string> => {
  const stamps = paths.map((path) =>
    stat(path).then(
      ({ size, mtimeMs, ino }) => `${size} ${mtimeMs} ${ino}`,
      () => "gone",
    ),
  );
  return (await Promise.all(stamps)).join("\n");
};

/** Datasets that a node keeps open: jobs of one dataset come one after the other. */
const keptDatasets = 4;

/**
 * Loads the sites that jobs name. Throws `invalid-data` where the dataset, one of its tables or one of its images lies
 * elsewhere; links are followed first, so that none leads out of the roots.
 */
export const openDataRoots = async (
  dirs: readonly string[],
  options: OpenOptions,
): Promise<(experiment: ExperimentRef) => Promise<Experiment>> => {
  const roots = await realRoots(dirs);
  const datasetAt = cacheDatasets(roots, keptDatasets, (data) => openDataset(data, { ...options, within: roots }));
  /** Links among the files of a folder lead to the roots. */
  const checkLinks = async (folder: string, wanted: (name: string) => boolean): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isSymbolicLink() && wanted(entry.name)) await requireWithin(join(folder, entry.name), roots);
    }
  };
  return async ({ id, data }) => {
    const experiment = await (await datasetAt(data)).load(id);
    const all = new Set(experiment.sites.flatMap(({ images }) => images.flatMap(locationsOf)));
    const files = new Set([...all].filter((file) => !isUrl(file)));
    for (const url of all) if (isUrl(url)) requireAllowed(url, dirs);
    for (const folder of new Set([...files].map((file) => dirname(file)))) {
      await requireWithin(folder, roots);
      await checkLinks(folder, (name) => files.has(join(folder, name)));
    }
    return experiment;
  };
};

/** A node fetches from the addresses that it was given, whatever a table names. */
const requireAllowed = (url: string, dirs: readonly string[]): void => {
  const allowed = dirs.filter(isUrl);
  const climbs = /(^|\/)(\.|%2e){1,2}(\/|$)/i.test(url.replace(/^[a-z0-9+.-]+:\/\//i, ""));
  if (!climbs && allowed.some((prefix) => liesBelow(url, prefix))) return;
  throw new PlatestreamError(
    "invalid-data",
    `a node fetches images from its data roots only (${allowed.join(", ") || "no address among them"}), and the job names ` +
      `${url}; allow it with --data-root, as --data-root ${url.split("/").slice(0, 3).join("/")}`,
  );
};
