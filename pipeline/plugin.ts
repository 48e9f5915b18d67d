/**
 * The door for stages, built-in or yours: everything that a stage may use is exported here.
 *
 * ```ts
 * import { defineStage, filter, z } from "platestream/plugin";
 *
 * export default defineStage({
 *   name: "first-site",
 *   description: "Keeps one site per well.",
 *   input: "site",
 *   output: "site",
 *   config: z.strictObject({ site: z.int().positive().default(1).describe("the site to keep") }),
 *   apply: ({ site }) => filter((item) => item.site === site),
 * });
 * ```
 */
import type { OperatorFunction } from "rxjs";
import type { z } from "zod";
import type { RequestIdentity } from "../proto/operations/request-identity.ts";
import type {
  Batch,
  Call,
  Experiment,
  Lease,
  ModelInfo,
  Site,
  SiteImage,
  SitePrediction,
  WellPrediction,
} from "./domain.ts";

export * from "rxjs";
export { z } from "zod";
export { type ErrorCode, listProblems, PlatestreamError } from "../proto/errors.ts";
export type { RequestIdentity } from "../proto/operations/request-identity.ts";
export { mapOrdered, mapUnordered } from "./concurrency.ts";
export * from "./domain.ts";
export { type DecodedImage, decodeImage, type ImageHeader, readImageHeader, writeGreyImage } from "./images.ts";
export { seededRandom, seededShuffle } from "./random.ts";
export { learnFromSample, type Sampling } from "./sample.ts";

/** What stages may take and give. A plugin adds ports of its own by declaring them in this interface. */
export interface Ports {
  site: Site;
  "site-image": SiteImage;
  batch: Batch;
  "site-prediction": SitePrediction;
  "well-prediction": WellPrediction;
  call: Call;
}
export type Port = keyof Ports;

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

/** The bytes of pixels that one experiment may hold at a time. */
export interface Memory {
  readonly capacity: number;
  /** Waits until `bytes` are free. Rejects at once when they exceed the capacity. */
  acquire(bytes: number, signal: AbortSignal): Promise<Lease>;
}

/** What a stage gets for one experiment. */
export interface Context {
  readonly experiment: Experiment;
  /** Aborted when the run is cancelled: stop, and let errors out. */
  readonly signal: AbortSignal;
  readonly memory: Memory;
  readonly workers: Workers;
  /**
   * Reports a site that goes no further, with the reason; the run goes on without it. `stage` is filled in by the
   * runner. Release the lease of the image too if you hold one.
   */
  leaveOut(site: Site, reason: string): void;
  /** A sentence for the run's report: a fallback taken, a doubt about the data. */
  note(message: string): void;
}

/**
 * One step of a pipeline: a name, what it takes and gives, its options, and one function.
 *
 * `apply` is called once per experiment and returns an RxJS operator. Its input completes when the experiment has no
 * more items; its output must complete then, too. An error ends this experiment only: it is retried, then given up.
 * Dropping an item needs no ceremony: `filter` is fine, and the pixels it held are counted as free once they are
 * collected. A stage that is done with pixels for good calls `image.lease.release()`, which is faster.
 * Keep the items of one plate together; within a plate any order is fine.
 */
export interface Stage<In extends Port = Port, Out extends Port = Port, Config extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly input: In;
  readonly output: Out;
  /** A strict object whose every option has a description and, where it can, a default. */
  readonly config: Config;
  /** Chooses and orders the sites before the experiment starts; absent: all, plate after plate, in a seeded order. */
  plan?(config: z.output<Config>, experiment: Experiment): readonly Site[];
  apply(config: z.output<Config>, context: Context): OperatorFunction<Ports[In], Ports[Out]>;
}

/** Returns the stage as it is: it exists so that options and ports are inferred and checked. */
export const defineStage = <In extends Port, Out extends Port, Config extends z.ZodType>(
  stage: Stage<In, Out, Config>,
): Stage<In, Out, Config> => stage;

/** Any stage, whatever its ports and options. */
// biome-ignore lint/suspicious/noExplicitAny: the variance of ports and options is checked when a chain is built
export type AnyStage = Stage<any, any, any>;
