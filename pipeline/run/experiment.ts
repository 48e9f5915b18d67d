/** One experiment through the chain: the unit of work, an Observable from its first site to its last call. */
import { from, fromEvent, lastValueFrom, type Observable, takeUntil, toArray } from "rxjs";
import { PlatestreamError } from "../../common/errors.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { seededShuffle } from "../../common/random.ts";
import { type Serving, sourceServing } from "../../common/serving.ts";
import { inNetworkOrder } from "../../screen/channels.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { readInputs } from "../results/inputs.ts";
import type { ExperimentResult, LeftOut } from "../results/result.ts";
import { type Chain, usableModels } from "../stage/chain.ts";
import type { Call } from "../stage/items.ts";
import type { Context } from "../stage/stage.ts";
import { workersFor } from "../workers/for-experiment.ts";
import type { Workers } from "../workers/workers.ts";
import { observeStage, startOfReach } from "./observe-stage.ts";
import { PixelMemory } from "./pixel-memory.ts";
import type { Status } from "./status.ts";

export interface ExperimentRun {
  readonly experiment: Experiment;
  readonly chain: Chain;
  readonly workers: Workers;
  /** What is to be said of it beside what its stages note. */
  readonly notes?: readonly string[];
  /** Bytes that this experiment's decoded pixels may take at a time. */
  readonly memoryBytes: number;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly onStatus: (status: Status) => void;
  /** Holds this experiment's memory while it runs. */
  readonly memories?: Set<PixelMemory>;
}

/** Runs all stages to the end. Rejects with the error of the stage that failed, or "cancelled". */
export const runExperiment = async ({
  experiment: loaded,
  chain,
  workers,
  notes: given = [],
  memoryBytes,
  attempt,
  signal,
  onStatus,
  memories,
}: ExperimentRun): Promise<ExperimentResult> => {
  if (signal.aborted) throw cancelled(signal);
  const [startedAt, started] = [new Date().toISOString(), performance.now()];
  const inputs = await readInputs(loaded);
  const network = await networkFor(chain, workers, loaded.cellType);
  const experiment = network === undefined ? loaded : inNetworkOrder(loaded, network);
  const leftOut: LeftOut[] = [];
  const notes = [...given];
  const done = new Set<Site>();
  let images = 0;
  const memory = new PixelMemory(memoryBytes);
  const serving = network?.serving ?? sourceServing; // without a network, predicting will say what is missing

  const siteDone = (site: Site) => {
    if (done.has(site)) return;
    done.add(site);
    onStatus({ type: "site-done", experiment: experiment.id, plate: site.plate });
  };
  const note = (message: string) => {
    notes.push(message);
    onStatus({ type: "note", experiment: experiment.id, message });
  };
  const contextOf = (stage: string): Context => ({
    experiment,
    signal,
    memory,
    workers: workersFor(workers, experiment.id, attempt),
    serving,
    leaveOut: (site, reason) => {
      const entry = { stage, site, reason };
      leftOut.push(entry);
      onStatus({ type: "left-out", experiment: experiment.id, leftOut: entry });
      siteDone(site);
    },
    predicted: (site) => {
      if (!done.has(site)) images += 1;
      siteDone(site);
    },
    note,
  });

  const sites = plan(chain, experiment, serving);
  const plates = experiment.plates.map((plate) => ({
    plate,
    sites: sites.filter((site) => site.plate === plate).length,
  }));
  onStatus({ type: "experiment-running", experiment: experiment.id, attempt, plates });

  const reach = startOfReach();
  const calls$ = chain.reduce<Observable<unknown>>(
    (items, link) => observeStage(items, link, contextOf(link.stage.name), reach),
    from(sites),
  );

  memories?.add(memory);
  const stopped = fromEvent(signal, "abort");
  const calls = await lastValueFrom((calls$ as Observable<Call>).pipe(takeUntil(stopped), toArray())).finally(() =>
    memories?.delete(memory),
  );
  if (signal.aborted) throw cancelled(signal);
  for (const problem of memory.imbalances()) note(problem);
  return {
    experiment,
    inputs,
    calls,
    leftOut,
    notes,
    attempts: attempt,
    startedAt,
    seconds: (performance.now() - started) / 1000,
    images,
  };
};

/** The network that the chain will ask. */
const networkFor = async (chain: Chain, workers: Workers, cellType: string): Promise<ModelInfo | undefined> =>
  usableModels(chain, await workers.models()).find((each) => each.cellType === cellType);

/** The sites in the order of the last stage that plans one; else plate after plate, each in a seeded random order. */
const plan = (chain: Chain, experiment: Experiment, serving: Serving): readonly Site[] => {
  const planners = chain.filter(({ stage }) => stage.plan !== undefined);
  const byPlate = experiment.plates.flatMap((plate) =>
    seededShuffle(
      experiment.sites.filter((site) => site.plate === plate),
      `${experiment.id} ${plate}`,
    ),
  );
  return planners.reduce<readonly Site[]>(
    (sites, { stage, options }) => stage.plan!(options, { ...experiment, sites }, serving),
    byPlate,
  );
};

const cancelled = (signal: AbortSignal): PlatestreamError =>
  new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason });
