/** A node: takes experiments from the bus, runs a few side by side, stores their results, retries and fails them. */
import { setTimeout as sleep } from "node:timers/promises";
import { errorCodes, PlatestreamError } from "../../common/errors.ts";
import { ownFrames } from "../../common/stack.ts";
import type { Experiment } from "../../screen/experiment.ts";
import type { Bus, Delivery, ExperimentRef } from "../bus/bus.ts";
import { type ReportedExperiment, reportExperiment } from "../results/report.ts";
import type { ExperimentFailure, ExperimentResult } from "../results/result.ts";
import type { Chain } from "../stage/chain.ts";
import type { Workers } from "../workers/workers.ts";
import { runExperiment } from "./experiment.ts";
import type { PixelMemory } from "./pixel-memory.ts";
import type { Status } from "./status.ts";

/** Where results go. `write` is idempotent: an experiment whose results are there is not written again. */
export interface ResultStore {
  done(): ReadonlySet<string>;
  /** An experiment came whose results are there: makes sure that everybody has got them who should. */
  confirm(experiment: string): Promise<void>;
  write(result: ExperimentResult, reported: ReportedExperiment): Promise<void>;
  fail(failure: ExperimentFailure): Promise<void>;
}

export interface AdaptedWorkers {
  readonly workers: Workers;
  /** What the report of the experiment says of it. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

export interface NodeOptions {
  readonly bus: Bus;
  readonly chain: Chain;
  readonly workers: Workers;
  /** Makes workers that are this experiment's alone, out of what the experiment itself shows; absent: it gets the node's. */
  readonly adapt?: (experiment: Experiment) => Promise<AdaptedWorkers>;
  readonly results: ResultStore;
  /** Reads an experiment's sites; called when it is its turn. */
  readonly load: (experiment: ExperimentRef) => Promise<Experiment>;
  /** Bytes that decoded pixels may take, over all experiments. */
  readonly memoryBytes: number;
  readonly concurrentExperiments: number;
  /** Times an experiment is tried. */
  readonly attempts: number;
  /**
   * Times that an experiment goes back as if it had not been taken when no worker is left for it: that is not its fault,
   * and another node may have some. After that it counts as an attempt, because it may be what ends them.
   */
  readonly requeues: number;
  /** Wait before the second attempt, in milliseconds; it doubles with every further one. */
  readonly backOffMs: number;
  /** Aborted: take no further experiments and finish those that run. */
  readonly drain: AbortSignal;
  /** Aborted: stop at once; what runs is requeued. */
  readonly signal: AbortSignal;
  readonly onStatus: (status: Status) => void;
  /** Holds those of the experiments that run, for whoever measures them. */
  readonly memories?: Set<PixelMemory>;
}

/** Runs until the bus has nothing more, or until it is drained or aborted. Failures are reported, not thrown. */
export const runNode = async (options: NodeOptions): Promise<void> => {
  const leaving = AbortSignal.any([options.drain, options.signal]);
  const requeued = new Map<string, number>();
  const running = new Set<Promise<void>>();
  let fail!: (error: unknown) => void;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const start = (delivery: Delivery): Promise<void> => {
    const run = runDelivery(delivery, options, requeued)
      .catch(fail)
      .finally(() => running.delete(run));
    running.add(run);
    return run;
  };
  const takeAll = async () => {
    for (;;) {
      if (running.size >= options.concurrentExperiments) await Promise.race(running);
      const delivery = await options.bus.take(leaving);
      if (delivery === undefined) break;
      // What may have killed its last node must not take others with it again.
      if (delivery.suspect) await Promise.all(running);
      const run = start(delivery);
      if (delivery.suspect) await run;
    }
    await Promise.all(running);
  };
  await Promise.race([takeAll(), failed]);
};

const runDelivery = async (delivery: Delivery, options: NodeOptions, requeued: Map<string, number>): Promise<void> => {
  const { experiment: ref, attempt } = delivery;
  const { results, onStatus, signal } = options;
  if (results.done().has(ref.id)) {
    await results.confirm(ref.id);
    return delivery.done();
  }
  if (attempt > options.attempts) {
    const why = `its node ended or lost the bus in each of ${options.attempts} attempts; does it fit into memory?`;
    return failExperiment(
      delivery,
      options.attempts,
      new PlatestreamError("internal", `experiment ${ref.id}: ${why}`),
      options,
    );
  }
  try {
    const result = await callExperiment(await options.load(ref), attempt, options);
    const reported = reportExperiment(result);
    await whenThereIsRoom(() => results.write(result, reported), ref.id, options);
    await delivery.done();
    onStatus({ type: "experiment-done", report: reported.report });
  } catch (thrown) {
    const error = PlatestreamError.from(thrown);
    if (error.code === "cancelled" || signal.aborted) return delivery.requeue();
    const { code, stage, message: reason } = error;
    const waiting = { type: "experiment-waiting", experiment: ref.id, attempt, reason, code, stage } as const;
    const times = requeued.get(ref.id) ?? 0;
    if (error.code === "no-worker" && times < options.requeues) {
      requeued.set(ref.id, times + 1);
      onStatus(waiting);
      return delivery.requeue();
    }
    if (errorCodes[error.code].retry && attempt < options.attempts) {
      onStatus(waiting);
      return delivery.retry(error.message, options.backOffMs * 2 ** (attempt - 1));
    }
    await failExperiment(delivery, attempt, error, options);
  }
};

const callExperiment = async (experiment: Experiment, attempt: number, options: NodeOptions) => {
  const { adapt, chain, signal, onStatus, memories } = options;
  const adapted = await adapt?.(experiment);
  try {
    return await runExperiment({
      experiment,
      chain,
      workers: adapted === undefined ? options.workers : adapted.workers,
      notes: adapted === undefined ? [] : adapted.notes,
      memoryBytes: options.memoryBytes / options.concurrentExperiments,
      attempt,
      signal,
      onStatus,
      ...(memories === undefined ? {} : { memories }),
    });
  } finally {
    await adapted?.close();
  }
};

const failExperiment = async (delivery: Delivery, attempts: number, error: PlatestreamError, options: NodeOptions) => {
  const { id: experiment, cellType } = delivery.experiment;
  const failure = { experiment, cellType, attempts, code: error.code, reason: error.rawMessage };
  await whenThereIsRoom(() => options.results.fail(failure), experiment, options);
  await delivery.fail(error.message, error.stage, attempts);
  options.onStatus({ type: "experiment-failed", failure, stage: error.stage, stack: stackOf(error) });
};

const stackOf = ({ code, cause }: PlatestreamError): string[] | undefined =>
  code === "plugin-failed" && cause instanceof Error && !(cause instanceof PlatestreamError)
    ? ownFrames(cause)
    : undefined;

const lookForRoomMs = 1_000;

/** A full disk is no failure of the experiment: what it has given is kept and stored when there is room again. */
const whenThereIsRoom = async (
  store: () => Promise<void>,
  experiment: string,
  { signal, onStatus }: NodeOptions,
): Promise<void> => {
  for (let noted = false; ; noted = true) {
    try {
      return await store();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
      const note = `its results are kept until there is room for them (${message}); free some where they go to`;
      if (!noted) onStatus({ type: "note", experiment, message: note });
      await sleep(lookForRoomMs, undefined, { signal });
    }
  }
};
