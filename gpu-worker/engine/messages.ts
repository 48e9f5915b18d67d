/** What the engine and its computing thread say to each other. */
import type { ErrorCode } from "../../common/errors.ts";
import type { Architecture, Weights } from "../network/architecture.ts";
import type { PixelType, StatisticsMode } from "../runtime/onnx/inference.ts";
import type { Provider } from "../runtime/onnx/session.ts";

/** A network of a bundle; its weights lie in shared memory. */
export interface Network {
  readonly architecture: Architecture;
  readonly weights: Weights;
}

export interface ThreadOptions {
  readonly networks: readonly Network[];
  readonly provider: Provider;
  /** Threads that one operation is spread over; 0: one per core. */
  readonly threads: number;
  /** Sessions that are kept. */
  readonly sessions: number;
}

/** One run of one network. */
export interface Job {
  /** Position in `ThreadOptions.networks`. */
  readonly network: number;
  readonly mode: Extract<StatisticsMode["kind"], "given" | "batch" | "estimate">;
  readonly pixelType: PixelType;
  readonly pixels: Uint8Array | Uint16Array | Float32Array;
  /** [N, C, H, W] */
  readonly shape: readonly number[];
  /** N*C values each. */
  readonly scale: Float32Array;
  readonly offset: Float32Array;
  /** [N, plates], one-hot, where the architecture has plates. */
  readonly plate?: Float32Array;
  /** For mode "given". */
  readonly statistics?: { readonly mean: Float32Array; readonly variance: Float32Array };
}

export type Answer =
  /** Outputs by name, how many sessions the thread has created in its life, and what it spent on the job, in milliseconds. */
  | {
      readonly type: "done";
      readonly outputs: Record<string, Float32Array>;
      readonly created: number;
      readonly inferMs: number;
      readonly outputMs: number;
    }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string; readonly created: number };
