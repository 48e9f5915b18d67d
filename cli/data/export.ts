/** What `pipeline data export` does. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileName, readJson } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import type { Dataset, ListedExperiment } from "../../datasets/dataset.ts";
import { openDataset } from "../../datasets/open.ts";
import { readPiece } from "../../pipeline/results/pieces.ts";
import type { RunReport } from "../../pipeline/results/run-report.ts";
import { rangeSchema } from "../../screen/value-range.ts";
import { choose } from "../parts/choose-experiments.ts";
import { type DatasetOptions, openOptionsOf } from "../parts/dataset-options.ts";
import { interruptible } from "../parts/interruptible.ts";
import { tellNotes } from "../parts/open-dataset.ts";
import { progressLine } from "../terminal/progress-line.ts";
import { exportPlate } from "./export-plate.ts";

export interface ExportOptions extends DatasetOptions {
  readonly omeZarr: string;
  readonly data?: string;
  readonly experiment?: readonly string[];
  readonly plate?: readonly string[];
  readonly sites?: number;
  readonly json?: boolean;
}

export const exportRun = async (run: string, options: ExportOptions): Promise<void> => {
  const report = await reportOf(run);
  const { config } = report;
  const given = Object.entries(openOptionsOf(options)).filter(([, value]) => value !== undefined);
  const dataset = await openDataset(options.data ?? config.data, { ...config, ...Object.fromEntries(given) });
  tellNotes(dataset);
  const called = report.experiments.map(({ experiment }) => experiment);
  const listed = dataset.experiments.filter(({ id }) => called.includes(id));
  const wanted = choose({ root: resolve(run), experiments: listed }, options.experiment ?? []);
  const range = rangeSchema.optional().parse(config.stages.find(({ use }) => use === "decode")?.options.range);
  const { drain: signal, close } = interruptible(() => undefined);
  const line = progressLine("wells", process.stderr);
  try {
    const plates = await platesOf(wanted, dataset, options);
    for (const { experiment, plate, folder } of plates) {
      const { wells } = await readPiece(join(run, "experiments"), experiment.id);
      const { leftOut, images } = await exportPlate({
        ...{ folder, experiment: experiment.id, plate, range, signal },
        wells: wells.filter((row) => row.plate === plate),
        sites: experiment.sites.filter((site) => site.plate === plate),
        channels: dataset.channels,
        sitesOfWell: options.sites ?? Number.POSITIVE_INFINITY,
        onWell: (done, all) => line.next(done, all, `${experiment.id} plate ${plate}`),
      });
      line.close();
      for (const reason of leftOut) process.stderr.write(`left out: ${reason}\n`);
      const report = { experiment: experiment.id, plate, folder, images, leftOut };
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${folder}: ${images} images\n`);
    }
  } finally {
    line.close();
    close();
  }
};

/** The plates that are wanted, none of which may be there already. */
const platesOf = async (
  wanted: readonly ListedExperiment[],
  dataset: Dataset,
  { plate: chosen, omeZarr }: ExportOptions,
) => {
  const loaded = await Promise.all(wanted.map(({ id }) => dataset.load(id)));
  const all = loaded.flatMap((experiment) => experiment.plates.map((plate) => ({ experiment, plate })));
  const unknown = chosen?.filter((name) => !all.some(({ plate }) => plate === name)) ?? [];
  if (unknown.length > 0) {
    const known = [...new Set(all.map(({ plate }) => plate))].join(", ");
    throw new PlatestreamError("invalid-config", `there is no plate ${unknown.join(", ")}; there are ${known}`);
  }
  const plates = all
    .filter(({ plate }) => chosen?.includes(plate) ?? true)
    .map((each) => ({ ...each, folder: join(omeZarr, fileName(each.experiment.id), `${fileName(each.plate)}.zarr`) }));
  for (const { folder } of plates) await refuseToReplace(folder);
  return plates;
};

const reportOf = async (run: string): Promise<RunReport> => {
  const report = await readJson<RunReport>(join(run, "run.json"));
  if (report?.config !== undefined) return report;
  throw new PlatestreamError(
    "invalid-config",
    `${resolve(run)} is not the folder of a finished run (it has no run.json); name what --out of \`pipeline start\` named`,
  );
};

const refuseToReplace = async (folder: string): Promise<void> => {
  const there = await stat(folder).catch(() => undefined);
  if (there === undefined) return;
  throw new PlatestreamError("invalid-config", `${folder} is there already; remove it, or give another --ome-zarr`);
};
