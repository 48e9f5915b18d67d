/** A node reads what lies under its data roots, whatever a job asks for. */
import { readdir, realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { type Dataset, type OpenOptions, openDataset } from "../../datasets/open.ts";
import type { ExperimentRef } from "../../pipeline/bus/bus.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { locationsOf } from "../../screen/image-source.ts";

/** Both throw "invalid-data" where something lies elsewhere. Links are followed first, so that none leads out of the roots. */
export interface DataRoots {
  /** The tables of a dataset as they are now. */
  open(data: string): Promise<Dataset>;
  /** The sites of an experiment; the tables of its dataset are read once. */
  load(experiment: ExperimentRef): Promise<Experiment>;
}

export const openDataRoots = async (dirs: readonly string[], options: OpenOptions): Promise<DataRoots> => {
  const roots = await Promise.all(
    dirs.map((dir) =>
      realpath(dir).catch(() => {
        throw new PlatestreamError(
          "invalid-config",
          `--data-root must be a folder, and there is none at ${resolve(dir)}`,
        );
      }),
    ),
  );
  const inRoots = async (path: string): Promise<string> => {
    // What is not there is judged by its name: nothing of it can be read.
    const real = await realpath(path).catch(() => resolve(path));
    if (roots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))) return real;
    throw new PlatestreamError(
      "invalid-data",
      `a node reads under its data roots only (${roots.join(", ")}), and the job names ${path}; start the node with another --data-root`,
    );
  };
  /** Links among the entries of a folder lead to the roots; returns its folders. */
  const checkLinks = async (folder: string, wanted: (name: string) => boolean): Promise<string[]> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isSymbolicLink() && wanted(entry.name)) await inRoots(join(folder, entry.name));
    }
    return entries.filter((entry) => !entry.isFile()).map(({ name }) => join(folder, name));
  };
  const datasets = new Map<string, Promise<Dataset>>();
  /** Where a dataset is, once nothing of it leads outside. */
  const place = async (path: string): Promise<string> => {
    const data = await inRoots(path);
    // Before the tables are read: what is wrong with them would be told. They lie here or one level down.
    for (const folder of await checkLinks(data, () => true)) await checkLinks(folder, () => true);
    return data;
  };
  const read = (data: string): Promise<Dataset> => {
    const dataset = openDataset(data, options);
    datasets.set(data, dataset);
    dataset.catch(() => datasets.delete(data));
    return dataset;
  };

  return {
    open: async (path) => read(await place(path)),
    async load({ id, data: path }) {
      const data = await place(path);
      const known = await (datasets.get(data) ?? read(data));
      // Its tables may have grown since they were read.
      const dataset = known.experiments.some((each) => each.id === id) ? known : await read(data);
      const experiment = await dataset.load(id);
      const files = new Set(experiment.sites.flatMap(({ images }) => images.flatMap(locationsOf)));
      for (const folder of new Set([...files].map((file) => dirname(file)))) {
        await inRoots(folder);
        await checkLinks(folder, (name) => files.has(join(folder, name)));
      }
      return experiment;
    },
  };
};
