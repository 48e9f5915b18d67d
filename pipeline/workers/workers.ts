/** The inference workers as a stage sees them. */
import type { RequestIdentity } from "../../common/grpc/request-identity.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { SiteImage } from "../../screen/site-image.ts";

/** Statistics that the BatchNorm layers normalise with. */
export type Statistics =
  | { readonly kind: "running" }
  | { readonly kind: "batch" }
  | { readonly kind: "calibrated"; readonly id: string; readonly data: Uint8Array };

export interface ModelChoice {
  /** Name of a bundle, or undefined where the workers hold one. */
  readonly name?: string | undefined;
  readonly cellType: string;
}

/** Images of equal shape and type, as they go to a worker. */
export interface ImageBatch {
  readonly images: readonly Pick<SiteImage, "pixels" | "channels" | "height" | "width" | "affine">[];
  /** Per image, position of its plate in the experiment; sent to models with a plate input. */
  readonly plates: readonly number[];
}

export interface Predictions {
  readonly model: ModelInfo;
  readonly statistics: string;
  /** [images, classes] */
  readonly logits: Float32Array;
  /** [images, features] */
  readonly features: Float32Array;
}

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
  /** Estimates the statistics of one domain from batches of its images. */
  calibrate(
    model: ModelChoice,
    batches: readonly ImageBatch[],
    sourceWeight: number,
    options: CallOptions,
  ): Promise<Extract<Statistics, { kind: "calibrated" }>>;
  predict(model: ModelChoice, batch: ImageBatch, statistics: Statistics, options: CallOptions): Promise<Predictions>;
}
