/**
 * What computes networks. Each library has a folder here and a line in `runtimes.ts`; the rest of the worker sees only
 * this file and that list.
 */

import type { PackedStatistics } from "../../common/norm-statistics.ts";
import type { Network } from "../network/architecture.ts";

export type PixelType = "uint8" | "uint16" | "float32";
export type Precision = "float32" | "float16";
export type Pixels = Uint8Array | Uint16Array | Float32Array;

/**
 * How an open network normalises, and what it returns:
 * - `fixed`: with the statistics that every run brings, be they the running or calibrated ones; `logits` [N, classes] and
 *   `features` [N, F].
 * - `batch`: every layer with the mean and the biased variance of the run's images, as PyTorch in training mode; the same.
 * - `calibration`: as `batch`, but returns those statistics, `mean` and `variance` (unbiased), as `PackedStatistics`.
 */
export type NetworkMode = "fixed" | "batch" | "calibration";

/** N images of one domain. The network reads pixel * scale + offset. */
export interface NetworkInputs {
  /** [N, C, H, W], row-major. */
  readonly pixels: Pixels;
  readonly shape: readonly number[];
  /** [N, C] */
  readonly scale: Float32Array;
  readonly offset: Float32Array;
  /** [N, plates], one-hot, where the architecture has plates. */
  readonly plate?: Float32Array;
  /** For mode `fixed`. */
  readonly statistics?: PackedStatistics;
}

/** By the names that `NetworkMode` lists. */
export type NetworkOutputs = Readonly<Record<string, Float32Array>>;

/** A network that is ready to compute. `run` may block the calling thread for as long as the network computes. */
export interface OpenNetwork {
  run(inputs: NetworkInputs): Promise<NetworkOutputs>;
  close(): Promise<void>;
}

export interface Runtime {
  readonly name: string;
  /** What computes, for instance `cpu` or `cuda`. */
  readonly provider: string;
  readonly precision: Precision;
  /** Batch, height and width may vary from run to run. Throws "invalid-model" where the provider cannot compute it. */
  open(network: Network, mode: NetworkMode, pixelType: PixelType): Promise<OpenNetwork>;
}

export interface RuntimeOptions {
  /** Threads that one operation is spread over, at least 1. */
  readonly threads: number;
  /** Of feature maps and weights; statistics, sums and outputs are float32 in either. */
  readonly precision: Precision;
}

/** One line of the list of runtimes. */
export interface RuntimeKind {
  readonly name: string;
  /** In the order in which `auto` tries them. */
  readonly providers: readonly string[];
  /** Loads the library, which nobody else does, and opens it. Throws "invalid-config" where a precision is not to be had. */
  open(provider: string, options: RuntimeOptions): Promise<Runtime>;
}
