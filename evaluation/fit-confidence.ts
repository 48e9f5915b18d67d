/** Fits the confidence of a bundle's networks to labelled experiments that they have not learnt from. */
import { type ConfidenceFit, unfitted } from "../common/assignment/confidence.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import type { Chain } from "../pipeline/stage/chain.ts";
import type { Call } from "../pipeline/stage/items.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { fitToCalls } from "./believe.ts";

export interface FitOptions {
  readonly experiments: readonly Experiment[];
  readonly chain: Chain;
  readonly workers: Workers;
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
}

/** By cell type; a cell type with too few calls of known truth, or whose calls are all right or all wrong, has none. */
export const fitBundle = async ({ experiments, ...run }: FitOptions): Promise<Map<string, ConfidenceFit>> => {
  const calls = new Map<string, Call[][]>();
  for (const experiment of experiments) {
    const result = await runExperiment({ ...run, experiment, attempt: 1, onStatus: () => undefined });
    calls.set(experiment.cellType, [...(calls.get(experiment.cellType) ?? []), [...result.calls]]);
  }
  const fits = [...calls].map(([cellType, each]) => [cellType, fitToCalls(each)] as const);
  return new Map(fits.filter(([, fit]) => fit !== unfitted));
};
