/** The inference workers as a stage sees them. */
import type { RequestIdentity } from "../../common/grpc/request-identity.ts";
import type { CalibratedStatistics, Images, ModelChoice, Prediction, Statistics } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";

export interface CallOptions {
  readonly signal: AbortSignal;
  /** For one attempt on one worker. */
  readonly deadlineMs: number;
  /** Further attempts, on other workers where there are any. */
  readonly retries: number;
  /** What the request is about, for the log lines on both sides; the runner fills in experiment and attempt. */
  readonly about?: RequestIdentity;
}

/** The inference workers, wherever they run. Safe to call concurrently. */
export interface Workers {
  /** Every network that some worker holds. */
  models(): Promise<readonly ModelInfo[]>;
  /** How many batches keep all workers busy. */
  readonly concurrency: number;
  /**
   * Estimates the statistics of one domain from batches of its images. A batch that is predicted afterwards, as the
   * same object, need not be sent again.
   */
  calibrate(
    model: ModelChoice,
    batches: readonly Images[],
    sourceWeight: number,
    options: CallOptions,
  ): Promise<Required<CalibratedStatistics>>;
  predict(model: ModelChoice, images: Images, statistics: Statistics, options: CallOptions): Promise<Prediction>;
}
