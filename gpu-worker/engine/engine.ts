/**
 * What a worker can do, apart from the messages that ask for it: any service (Platestream's own, the Open Inference
 * Protocol) is a translation to and from this interface.
 */
import type { Estimate, Images, ModelChoice, Prediction, Statistics } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { JobMode } from "./job.ts";

export interface EngineCall {
  readonly signal?: AbortSignal;
  /** The engine may take the memory of the pixels away from the caller instead of copying it. */
  readonly transfer?: boolean;
  /** Gets memory back that was taken away, once it is computed; not where that fails. */
  readonly giveBack?: (memory: ArrayBuffer) => void;
}

/** One estimate under way. Batches are computed as they are added; nothing else of the domain is kept. */
export interface Calibration {
  readonly model: ModelInfo;
  add(batch: Images | Estimate, transfer?: boolean): Promise<void>;
  /** Combines the batches. `id` is the content address of `data` (safetensors of running means and variances). */
  finish(): Promise<{ id: string; data: Uint8Array; images: number }>;
}

/** One run of one network, observed. */
export interface Execution {
  readonly model: ModelInfo;
  readonly mode: JobMode;
  readonly images: number;
  /** Milliseconds. */
  readonly times: ExecutionTimes;
}

/** Milliseconds. */
export interface ExecutionTimes {
  /** It waited for those before it. */
  readonly queue: number;
  /** It went to the thread, and its network was opened where it was not. */
  readonly input: number;
  readonly infer: number;
  /** Its outputs came back. */
  readonly output: number;
  /** Processor time of this process during `infer`. */
  readonly cpu: number;
}

/** What computes. */
export interface Device {
  readonly runtime: string;
  /** Execution provider, for instance `cpu` or `cuda`. */
  readonly provider: string;
  readonly precision: "float32" | "float16";
  /** Images up to which batches that wait are computed as one; 0: each as it comes. */
  readonly bestBatch: number;
  /** Processor threads that one operation is spread over. */
  readonly threads: number;
  /** Providers that were tried before this one, and why they do not compute here. */
  readonly refused: readonly { readonly provider: string; readonly reason: string }[];
}

/**
 * Computes away from the calling thread. Errors are `PlatestreamError`s: "unknown-model" lists the models there are,
 * "invalid-request" says which rule the images break, "unknown-statistics" asks for the statistics' bytes.
 */
export interface Engine {
  readonly device: Device;
  readonly maxBatch: number;
  models(): readonly ModelInfo[];
  /** Batches that wait for those before them. */
  readonly waiting: number;
  predict(choice: ModelChoice, images: Images, statistics: Statistics, call?: EngineCall): Promise<Prediction>;
  calibrate(choice: ModelChoice, sourceWeight: number, signal?: AbortSignal): Calibration;
  /** Finishes what is under way, then frees the sessions and threads. */
  close(): Promise<void>;
}
