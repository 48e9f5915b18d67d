/** Fits a bundle's confidence to labelled experiments that it has not learnt from, and writes it into the bundle. */
import { resolve } from "node:path";
import type { ConfidenceFit } from "../../common/assignment/confidence.ts";
import type { Dataset } from "../../datasets/open.ts";
import { fitBundle } from "../../evaluation/fit-confidence.ts";
import { setConfidence } from "../../gpu-worker/bundle/bundle.ts";
import { parseRunConfig } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { openWorkers } from "./open-workers.ts";

export interface ConfidenceWork {
  readonly dataset: Dataset;
  /** Experiments that no network of `judged` has learnt from. */
  readonly experiments: readonly string[];
  /** The bundle that calls them. */
  readonly judged: string;
  /** The bundle that gets what is found. */
  readonly bundle: string;
  readonly signal: AbortSignal;
}

/** Returns a sentence per cell type. */
export const fitConfidenceOf = async (work: ConfidenceWork): Promise<string[]> => {
  const { dataset, experiments, judged, bundle, signal } = work;
  const config = parseRunConfig({ data: dataset.root, model: resolve(judged) }, "fitting confidence", usualChain);
  const workers = await openWorkers(config, () => undefined);
  try {
    const fits = await fitBundle({
      experiments: await Promise.all(experiments.map((id) => dataset.load(id))),
      chain: await buildChain(config.stages, stages, process.cwd()),
      workers,
      memoryBytes: config.memoryMiB * 2 ** 20,
      signal,
    });
    await setConfidence(bundle, fits);
    const cellTypes = [
      ...new Set(dataset.experiments.filter(({ id }) => experiments.includes(id)).map((e) => e.cellType)),
    ];
    return cellTypes.map((cellType) => sentence(cellType, fits.get(cellType)));
  } finally {
    await workers.close();
  }
};

const sentence = (cellType: string, fit: ConfidenceFit | undefined): string =>
  fit === undefined
    ? `${cellType}: too few held-out wells, or all right or all wrong: its confidence is the network's own and not tried`
    : `${cellType}: confidence fitted to ${fit.wells} held-out wells, temperature ${fit.temperature.toFixed(2)}`;
