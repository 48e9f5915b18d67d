/** What the bus knows of every experiment that was ever submitted to it, settled ones included. */
import type { ExperimentRef } from "../bus.ts";

export type ExperimentState = "queued" | "running" | "waiting" | "done" | "failed";

export interface ExperimentRecord extends ExperimentRef {
  /** Distinguishes a submission from an earlier one of the same experiment. */
  readonly submission: string;
  /** `waiting`: to be tried again. */
  readonly state: ExperimentState;
  /** Attempts that were begun. */
  readonly attempts: number;
  /** Who has it, or had it last. */
  readonly node?: string;
  /** Who may settle it: the last delivery of it. */
  readonly delivery?: string;
  /** Why the last attempt failed. */
  readonly reason?: string;
  /** ISO 8601; of the last change. */
  readonly since: string;
}

/** A message of the queue. */
export interface QueuedExperiment extends ExperimentRef {
  readonly submission: string;
}

/** An experiment that failed. */
export interface DeadLetter extends ExperimentRef {
  readonly attempts: number;
  readonly reason: string;
  /** Stage that failed, where one did. */
  readonly stage?: string;
  readonly node: string;
  /** ISO 8601 */
  readonly at: string;
}
