/** Scores labelled experiments on every rung: on wells, treatments only. */
import { PlatestreamError } from "../common/errors.ts";
import { describeServing, domainFor } from "../common/serving.ts";
import { reportExperiment } from "../pipeline/results/report.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import { type Chain, unmetConditions } from "../pipeline/stage/chain.ts";
import { type Condition, conditions } from "../pipeline/stage/conditions.ts";
import type { Strategy } from "../pipeline/stage/items.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { type Belief, beliefOf, type Judged, judge } from "./believe.ts";
import { type Counted, type Estimate, estimate } from "./estimate.ts";
import { type Pass, passes, type Rung, rungs } from "./rungs.ts";

export interface Evaluation {
  readonly experiments: readonly { readonly id: string; readonly cellType: string }[];
  readonly cellTypes: readonly string[];
  /** Per cell type, how the bundle says that its network is served. */
  readonly serving: Readonly<Record<string, string>>;
  readonly rungs: readonly RungScore[];
  /** Whether confidence means what it says; absent where the chain gives none. */
  readonly belief?: Belief;
  /** The calls that it rests on. */
  readonly judged: readonly Judged[];
  /** Rungs that could not be scored, and why. */
  readonly missing: readonly { readonly rung: Rung; readonly reason: string }[];
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
  /** The chain whose stages meet the conditions of a pass. */
  readonly chainFor: (conditions: readonly Condition[]) => Promise<Chain>;
  readonly workers: Readonly<Record<Rung["bundle"], Workers | undefined>>;
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
  readonly onPass: (experiment: string, pass: Pass, bundle: Rung["bundle"], done: number, all: number) => void;
}

interface Scored {
  readonly accuracy: Partial<Record<Strategy, Counted>>;
  readonly judged: readonly Judged[];
}
type Scores = ReadonlyMap<string, Scored>;

const keyOf = (experiment: string, bundle: Rung["bundle"], pass: Pass) => `${experiment}\n${bundle}\n${pass}`;

/**
 * Runs every pass over every experiment. A rung is left out, with the reason, where its bundle or strategy is not to be
 * had, or where no stage of the chain can meet a condition of its pass.
 */
export const evaluate = async (options: EvaluationOptions): Promise<Evaluation> => {
  const chain = await options.chainFor([]);
  const unmet = ({ pass }: Rung) => unmetConditions(chain, passes[pass]);
  const wanted = rungs.filter((rung) => options.workers[rung.bundle] !== undefined && unmet(rung).length === 0);
  const runs = [...new Set(wanted.map(({ bundle, pass }) => `${bundle} ${pass}`))].map(
    (key) => key.split(" ") as [Rung["bundle"], Pass],
  );
  const scores = new Map<string, Scored>();
  const sites = new Set<number>();
  let done = 0;
  for (const { id } of options.experiments) {
    const experiment = await options.load(id);
    sites.add(sitesPerWell(experiment));
    for (const [bundle, pass] of runs) {
      options.onPass(id, pass, bundle, done, runs.length * options.experiments.length);
      const same = pass === "served" ? await samePass(experiment, options.workers[bundle]!) : undefined;
      const known = same === undefined ? undefined : scores.get(keyOf(id, bundle, same));
      const result = known ?? (await score(experiment, pass, options.workers[bundle]!, options));
      scores.set(keyOf(id, bundle, pass), result);
      done += 1;
    }
  }
  return summarise(options, wanted, scores, sites, unmet);
};

const score = async (
  experiment: Experiment,
  pass: Pass,
  workers: Workers,
  { chainFor, memoryBytes, signal }: EvaluationOptions,
): Promise<Scored> => {
  const result = await runExperiment({
    experiment,
    chain: await chainFor(passes[pass]),
    workers,
    memoryBytes,
    attempt: 1,
    signal,
    onStatus: () => undefined,
  });
  return { accuracy: reportExperiment(result).report.accuracy, judged: judge(result.calls) };
};

/** The pass that serving as the bundle says comes to, for this experiment. */
const samePass = async ({ plates, sites, cellType }: Experiment, workers: Workers): Promise<Pass | undefined> => {
  const model = (await workers.models()).find((each) => each.cellType === cellType);
  if (model === undefined) return undefined;
  const images = plates.map((plate) => sites.filter((site) => site.plate === plate).length);
  return `calibrated-${domainFor(model.serving, images)}`;
};

/** The usual number. */
const sitesPerWell = ({ sites }: Experiment): number => {
  const wells = new Set(sites.map(({ plate, well }) => `${plate}\n${well}`));
  return Math.round(sites.length / Math.max(wells.size, 1));
};

const summarise = async (
  { experiments, workers }: EvaluationOptions,
  wanted: readonly Rung[],
  scores: Scores,
  sites: ReadonlySet<number>,
  unmet: (rung: Rung) => readonly Condition[],
): Promise<Evaluation> => {
  const cellTypes = [...new Set(experiments.map(({ cellType }) => cellType))];
  const counts = [...sites].sort((a, b) => a - b).join(" or ");
  const named = (rung: Rung): Rung => ({
    ...rung,
    label: rung.label.replace("{sites}", `${counts} ${counts === "1" ? "site" : "sites"}`),
  });
  const scored = wanted.flatMap((rung): RungScore[] => {
    const counted = experiments.flatMap(({ id, cellType }) => {
      const count = scores.get(keyOf(id, rung.bundle, rung.pass))?.accuracy[rung.strategy];
      return count === undefined ? [] : [{ id, cellType, count }];
    });
    if (counted.length === 0) return [];
    const of = (cellType: string) => counted.filter((each) => each.cellType === cellType).map(({ count }) => count);
    return [
      {
        rung: named(rung),
        accuracies: Object.fromEntries(counted.map(({ id, count }) => [id, count.correct / count.n])),
        byCellType: Object.fromEntries(
          cellTypes.filter((cellType) => of(cellType).length > 0).map((cellType) => [cellType, estimate(of(cellType))]),
        ),
        total: estimate(counted.map(({ count }) => count)),
      },
    ];
  });
  if (scored.length === 0) {
    throw new PlatestreamError(
      "invalid-data",
      "evaluation needs treatment wells whose treatment is known, and none of the experiments has any; `pipeline start` calls unlabelled ones",
    );
  }
  const models = (await workers.model?.models()) ?? [];
  const servings = models
    .filter(({ cellType }) => cellTypes.includes(cellType))
    .map(({ cellType, serving }) => [cellType, describeServing(serving)]);
  const reached = new Set(scored.map(({ rung }) => rung.name));
  const missing = rungs
    .filter(({ name }) => !reached.has(name))
    .map((rung) => ({ rung: named(rung), reason: reasonFor(rung, unmet(rung)) }));
  const judged = experiments.flatMap(({ id }) => scores.get(keyOf(id, "model", "served"))?.judged ?? []);
  return {
    experiments,
    cellTypes,
    serving: Object.fromEntries(servings),
    rungs: scored,
    missing,
    judged,
    ...(judged.length === 0 ? {} : { belief: beliefOf(judged) }),
  };
};

const reasonFor = ({ bundle, strategy }: Rung, unmet: readonly Condition[]): string => {
  if (unmet.length > 0) return `no stage of the chain can ${unmet.map((each) => conditions[each]).join(", nor ")}`;
  if (bundle === "before") return "no --before bundle was given, or it has nothing for this rung";
  return strategy === "plate-groups"
    ? "the bundle has no plate groups: its training layouts showed none that recur"
    : "the chain does not say what this strategy would call";
};
