/** A node reads what lies under its data roots, whatever a job asks for. */
import { realpath } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { type Dataset, openDataset } from "../../datasets/open.ts";
import { PlatestreamError } from "../../proto/errors.ts";
import type { ExperimentRef } from "../bus/bus.ts";
import type { Experiment } from "../domain.ts";

/** Reads the sites of an experiment, or throws "invalid-data" where it lies elsewhere. */
export type LoadExperiment = (experiment: ExperimentRef) => Promise<Experiment>;

/** Links are followed first, so that none leads out of the roots. A dataset's tables are read once. */
export const openDataRoots = async (
  dirs: readonly string[],
  layout: Dataset["layout"] | "auto",
): Promise<LoadExperiment> => {
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
    const real = await realpath(path).catch(() => resolve(path));
    if (roots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))) return real;
    throw new PlatestreamError(
      "invalid-data",
      `a node reads under its data roots only (${roots.join(", ")}), and the job names ${path}; start the node with another --data-root`,
    );
  };
  const datasets = new Map<string, Promise<Dataset>>();
  const open = (data: string): Promise<Dataset> => {
    const dataset = openDataset(data, { layout });
    datasets.set(data, dataset);
    dataset.catch(() => datasets.delete(data));
    return dataset;
  };

  return async ({ id, data: path }) => {
    const data = await inRoots(path);
    const read = await (datasets.get(data) ?? open(data));
    // Its tables may have grown since they were read.
    const dataset = read.experiments.some((each) => each.id === id) ? read : await open(data);
    const experiment = await dataset.load(id);
    const folders = new Set(experiment.sites.flatMap(({ images }) => images.map((image) => dirname(image.path))));
    for (const folder of folders) await inRoots(folder);
    return experiment;
  };
};
