/** What the engine and its computing thread say to each other. */
import type { ErrorCode } from "../../common/errors.ts";
import type { Network } from "../network/architecture.ts";
import type { NetworkInputs, NetworkOutputs, PixelType, Precision } from "../runtime/runtime.ts";

/** What a network is run for: to predict with one of the three kinds of statistics, or to estimate statistics. */
export const jobModes = ["running", "batch", "calibrated", "calibration"] as const;
export type JobMode = (typeof jobModes)[number];

export interface ThreadOptions {
  /** Their weights lie in shared memory. */
  readonly networks: readonly Network[];
  /** As `openRuntime` takes them. */
  readonly runtime: string;
  readonly provider: string;
  readonly precision: Precision;
  /** Threads that one operation is spread over, at least 1. */
  readonly threads: number;
  /** Open networks that are kept. */
  readonly sessions: number;
}

/** One run of one network. */
export interface Job extends NetworkInputs {
  /** Position in `ThreadOptions.networks`. */
  readonly network: number;
  readonly mode: JobMode;
  readonly pixelType: PixelType;
}

export type JobResult =
  /** `opened`: how many networks the thread has opened in its life. The times are milliseconds since the epoch. */
  | {
      readonly type: "done";
      readonly outputs: NetworkOutputs;
      /** The job's own, whose memory may be used again. */
      readonly pixels: Job["pixels"];
      readonly opened: number;
      readonly began: number;
      readonly finished: number;
      /** Processor time of the whole process between the two, milliseconds. */
      readonly cpu: number;
    }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string; readonly opened: number };

/** Milliseconds, finer than `Date.now`, and the same for all threads. */
export const sinceEpoch = (): number => performance.timeOrigin + performance.now();
