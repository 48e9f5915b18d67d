/** Scores labelled experiments on every rung: on wells, treatments only. */
import { PlatestreamError } from "../common/errors.ts";
import { reportExperiment } from "../pipeline/results/report.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import type { Chain } from "../pipeline/stage/chain.ts";
import type { Strategy } from "../pipeline/stage/items.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { type Estimate, estimate } from "./confidence.ts";
import { type Pass, passes, type Rung, rungs } from "./rungs.ts";

export interface Evaluation {
  readonly experiments: readonly { readonly id: string; readonly cellType: string }[];
  readonly cellTypes: readonly string[];
  readonly rungs: readonly RungScore[];
}

export interface RungScore {
  readonly rung: Rung;
  /** By experiment; experiments without labels are not among them. */
  readonly accuracies: Readonly<Record<string, number>>;
  readonly byCellType: Readonly<Record<string, Estimate>>;
  readonly total: Estimate;
}

export interface EvaluationOptions {
  readonly experiments: readonly { readonly id: string; readonly cellType: string }[];
  readonly load: (id: string) => Promise<Experiment>;
  /** The chain with the settings of a pass laid over it. */
  readonly chainFor: (settings: readonly string[]) => Promise<Chain>;
  readonly workers: Readonly<Record<Rung["bundle"], Workers | undefined>>;
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
  readonly onPass: (experiment: string, pass: Pass, bundle: Rung["bundle"], done: number, all: number) => void;
}

/** Runs every pass over every experiment. A rung whose bundle or strategy is not to be had is left out. */
export const evaluate = async (options: EvaluationOptions): Promise<Evaluation> => {
  const wanted = rungs.filter(({ bundle }) => options.workers[bundle] !== undefined);
  const runs = [...new Set(wanted.map(({ bundle, pass }) => `${bundle} ${pass}`))].map(
    (key) => key.split(" ") as [Rung["bundle"], Pass],
  );
  const accuracies = new Map<string, Partial<Record<Strategy, number>>>();
  let done = 0;
  for (const { id } of options.experiments) {
    const experiment = await options.load(id);
    for (const [bundle, pass] of runs) {
      options.onPass(id, pass, bundle, done, runs.length * options.experiments.length);
      const result = await runExperiment({
        experiment,
        chain: await options.chainFor(passes[pass]),
        workers: options.workers[bundle]!,
        memoryBytes: options.memoryBytes,
        attempt: 1,
        signal: options.signal,
        onStatus: () => undefined,
      });
      const scored = Object.entries(reportExperiment(result).report.accuracy);
      accuracies.set(
        `${id} ${bundle} ${pass}`,
        Object.fromEntries(scored.map(([name, { accuracy }]) => [name, accuracy])),
      );
      done += 1;
    }
  }
  return summarise(options.experiments, wanted, accuracies);
};

const summarise = (
  experiments: EvaluationOptions["experiments"],
  wanted: readonly Rung[],
  accuracies: ReadonlyMap<string, Partial<Record<Strategy, number>>>,
): Evaluation => {
  const cellTypes = [...new Set(experiments.map(({ cellType }) => cellType))];
  const scores = wanted.flatMap((rung): RungScore[] => {
    const scored = experiments.flatMap(({ id, cellType }) => {
      const accuracy = accuracies.get(`${id} ${rung.bundle} ${rung.pass}`)?.[rung.strategy];
      return accuracy === undefined ? [] : [{ id, cellType, accuracy }];
    });
    if (scored.length === 0) return [];
    const of = (cellType: string) =>
      scored.filter((each) => each.cellType === cellType).map(({ accuracy }) => accuracy);
    return [
      {
        rung,
        accuracies: Object.fromEntries(scored.map(({ id, accuracy }) => [id, accuracy])),
        byCellType: Object.fromEntries(
          cellTypes.filter((cellType) => of(cellType).length > 0).map((cellType) => [cellType, estimate(of(cellType))]),
        ),
        total: estimate(scored.map(({ accuracy }) => accuracy)),
      },
    ];
  });
  if (scores.length === 0) {
    throw new PlatestreamError(
      "invalid-data",
      "evaluation needs treatment wells whose siRNA is known, and none of the experiments has any; `pipeline start` calls unlabelled ones",
    );
  }
  return { experiments, cellTypes, rungs: scores };
};
