/**
 * Hands out experiments. What travels is a reference, never pixels.
 *
 * Delivery is at least once: an experiment that was taken and not settled comes again, so whoever stores its results
 * must be able to see that it has them already.
 */
export interface ExperimentRef {
  readonly id: string;
  readonly cellType: string;
  /** Folder of the dataset that holds it. */
  readonly data: string;
}

/** One experiment in hand. Settle it exactly once. */
export interface Delivery {
  readonly experiment: ExperimentRef;
  /** 1 for the first. */
  readonly attempt: number;
  /** Whoever had it last ended without a word, or lost the bus: the experiment may be what killed it. */
  readonly suspect: boolean;
  /** Its results are stored. */
  done(): Promise<void>;
  /** Puts it back, to be tried again after `waitMs` milliseconds. */
  retry(reason: string, waitMs: number): Promise<void>;
  /** Gives it up after so many attempts; all three are kept. */
  fail(reason: string, stage: string | undefined, attempts: number): Promise<void>;
  /** Puts it back as if it had not been taken: the node is leaving. */
  requeue(): Promise<void>;
}

export interface Bus {
  /** Queues experiments; those that are queued, running or done are not queued again. */
  submit(experiments: readonly ExperimentRef[]): Promise<{ readonly queued: number; readonly known: number }>;
  /** Waits for the next experiment. Undefined: there will be none (drained, or all submitted ones are settled). */
  take(signal: AbortSignal): Promise<Delivery | undefined>;
  close(): Promise<void>;
}
