/** Writes synthetic experiments in the public RxRx1 layout, on all cores. */
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { Piscina } from "piscina";
import { z } from "zod";
import { PlatestreamError } from "../../common/errors.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { type SyntheticOptions, type SyntheticParameters, syntheticParameters } from "./parameters.ts";
import { planExperiment, plateCapacity, wellsPerPlate } from "./plan.ts";
import { readRecord, writeRecord } from "./record.ts";
import { plateFolder, type ThreadData, type WellTask } from "./write-well.ts";

export interface SynthesiseOptions extends SyntheticOptions {
  /** Names such as `HUVEC-01`: a cell type and a number. */
  readonly experiments: readonly string[];
}

export interface SynthesiseProgress {
  /** Images of all channels of one site count as one. */
  readonly done: number;
  readonly all: number;
  readonly experimentsDone: number;
  readonly experiments: number;
}

export interface SynthesiseContext {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SynthesiseProgress) => void;
}

/**
 * Adds the experiments to the dataset in `dir`; those that it holds already are not made again.
 *
 * An experiment is a function of its name and the parameters: it does not depend on which others are made, in what
 * order, or how often the command was interrupted. Its images are written first and it enters `metadata.csv` when they
 * are complete.
 *
 * @throws PlatestreamError `invalid-config` for parameters out of range, or other than the folder's; `cancelled`
 */
export const synthesise = async (
  dir: string,
  { experiments, ...options }: SynthesiseOptions,
  { signal, onProgress }: SynthesiseContext = {},
): Promise<void> => {
  const parameters = parse(options);
  checkNames(experiments);
  const root = resolve(dir);
  await makeFolder(root);
  const finished = await readRecord(root, parameters);
  const missing = [...new Set(experiments)].filter((name) => !finished.includes(name));
  if (missing.length === 0) return;
  if (finished.length === 0) await writeRecord(root, parameters, finished);

  const plans = missing.map((name) => planExperiment(parameters, name));
  const tasks = plans.flatMap(({ experiment, plates }) =>
    plates.flatMap(({ plate, wells }) => wells.map((well): WellTask => ({ experiment, plate, well }))),
  );
  for (const { experiment, plates } of plans)
    for (const { plate } of plates) await mkdir(plateFolder(root, experiment, plate), { recursive: true });

  const all = tasks.reduce((sum, { well }) => sum + well.sites.length, 0);
  const left = new Map(missing.map((name) => [name, tasks.filter(({ experiment }) => experiment === name).length]));
  let done = 0;
  let experimentsDone = 0;
  let recorded = Promise.resolve();
  const settle = (task: WellTask) => {
    done += task.well.sites.length;
    const remaining = left.get(task.experiment)! - 1;
    left.set(task.experiment, remaining);
    if (remaining === 0) {
      experimentsDone += 1;
      finished.push(task.experiment);
      const upToNow = [...finished];
      recorded = recorded.then(() => writeRecord(root, parameters, upToNow));
      recorded.catch(() => undefined);
    }
    onProgress?.({ done, all, experimentsDone, experiments: missing.length });
  };

  const threads = Math.min(availableParallelism(), tasks.length);
  const pool = openPool({ parameters, root }, threads);
  try {
    // A second well per thread is rendered while the files of the first are written.
    let next = 0;
    const work = async () => {
      for (let task = tasks[next++]; task !== undefined && !signal?.aborted; task = tasks[next++]) {
        await pool.run(task);
        settle(task);
      }
    };
    await Promise.all(Array.from({ length: 2 * threads }, work));
    await recorded;
  } finally {
    await pool.destroy();
  }
  if (signal?.aborted) {
    throw new PlatestreamError(
      "cancelled",
      `stopped with ${experimentsDone} of ${missing.length} experiments written; the same command goes on with the others`,
    );
  }
};

const openPool = (workerData: ThreadData, threads: number): Piscina =>
  new Piscina({
    filename: new URL("./write-well.js", import.meta.url).href,
    workerData,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 2,
  });

const parse = (options: SyntheticOptions): SyntheticParameters => {
  const { data: parameters, error } = syntheticParameters.safeParse(options);
  if (parameters === undefined) throw new PlatestreamError("invalid-config", z.prettifyError(error));
  const wells = wellsPerPlate(parameters);
  if (wells > plateCapacity) {
    throw new PlatestreamError(
      "invalid-config",
      `a plate has room for ${plateCapacity} wells, got ${wells} of classes and controls together`,
    );
  }
  return parameters;
};

const checkNames = (names: readonly string[]): void => {
  const bad = names.filter((name) => !/^[A-Za-z0-9]+-\d{2,}$/.test(name));
  if (bad.length > 0) {
    throw new PlatestreamError(
      "invalid-config",
      `experiments are named by cell type and number, as in HUVEC-01; got ${bad.join(", ")}`,
    );
  }
};
