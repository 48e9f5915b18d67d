/**
 * What a worker can do, apart from the messages that ask for it: any service (Platestream's own, the Open Inference
 * Protocol) is a translation to and from this interface.
 */
import type { ModelInfo } from "../../common/model-info.ts";

/** N images and how they become the network's input: pixel * scale + offset. */
export interface PixelBatch {
  /** [N, C, H, W], row-major */
  readonly pixels: Uint8Array | Uint16Array | Float32Array;
  readonly shape: readonly [images: number, channels: number, height: number, width: number];
  /** C or N*C values; empty: the model's own. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** The engine may take the memory of `pixels` away from the caller instead of copying it. */
  readonly transferable?: boolean;
}

export type StatisticsChoice =
  | { readonly kind: "running" }
  | { readonly kind: "batch" }
  /** `data` may be absent where the engine has seen these statistics before; it throws "unknown-statistics" if not. */
  | { readonly kind: "calibrated"; readonly id: string; readonly data?: Uint8Array };

export type ServedModel = ModelInfo;

/** Empty strings mean "the only one there is". */
export interface ModelChoice {
  readonly model: string;
  readonly cellType: string;
}

export interface EnginePrediction {
  readonly model: ServedModel;
  readonly statistics: string;
  /** [N, classes] */
  readonly logits: Float32Array;
  /** [N, features] */
  readonly features: Float32Array;
}

/** What another calibration has made of one batch of `images` images, without the training statistics. */
export interface BatchEstimate {
  readonly data: Uint8Array;
  readonly images: number;
}

/** One estimate under way. Batches are computed as they are added; nothing else of the domain is kept. */
export interface Calibration {
  add(batch: PixelBatch | BatchEstimate): Promise<void>;
  /** Combines the batches. `id` is the content address of `data` (safetensors of running means and variances). */
  finish(): Promise<{ model: ServedModel; id: string; data: Uint8Array; images: number }>;
}

/**
 * Computes away from the calling thread. Errors are `PlatestreamError`s: "unknown-model" lists the models there are,
 * "invalid-request" says which rule the images break, "unknown-statistics" asks for the statistics' bytes.
 */
export interface Engine {
  readonly runtime: string;
  readonly provider: string;
  readonly maxBatch: number;
  models(): readonly ServedModel[];
  /** Batches that wait for those before them. */
  readonly waiting: number;
  predict(
    choice: ModelChoice,
    images: PixelBatch,
    statistics: StatisticsChoice,
    plates: readonly number[],
    signal?: AbortSignal,
  ): Promise<EnginePrediction>;
  calibrate(choice: ModelChoice, sourceWeight: number, signal?: AbortSignal): Calibration;
  /** Finishes what is under way, then frees the sessions and threads. */
  close(): Promise<void>;
}
