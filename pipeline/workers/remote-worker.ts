/** One worker somewhere on the network, whatever protocol it speaks. */
import type { RequestIdentity } from "../../common/grpc/request-identity.ts";
import type {
  CalibratedStatistics,
  Estimate,
  Images,
  ModelChoice,
  Prediction,
  Statistics,
} from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";

export interface WorkerInfo {
  readonly models: readonly ModelInfo[];
  /** For instance `onnxruntime cpu`. */
  readonly runtime: string;
  /** Images that it computes at a time where so many wait for it; 0: as they come. */
  readonly bestBatch: number;
  /** How pixels go there: through the connection, or through memory of the host that both are on. */
  readonly pixels: "socket" | "shared-memory";
}

/** For one request. */
export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly about?: RequestIdentity;
}

/** All methods throw `PlatestreamError`s that name the worker's address. */
export interface RemoteWorker {
  readonly address: string;
  /** What the worker holds, asked anew. Throws "worker-unavailable" unless the worker says that it serves. */
  info(options: RequestOptions): Promise<WorkerInfo>;
  predict(model: ModelChoice, images: Images, statistics: Statistics, options: RequestOptions): Promise<Prediction>;
  calibrate(
    model: ModelChoice,
    batches: readonly Images[],
    sourceWeight: number,
    options: RequestOptions,
  ): Promise<Required<CalibratedStatistics>>;
  /** Calibrates with what `calibrate` has made of single batches, with `sourceWeight` 0: the same as with the batches. */
  combine(
    model: ModelChoice,
    estimates: readonly Estimate[],
    sourceWeight: number,
    options: RequestOptions,
  ): Promise<Required<CalibratedStatistics>>;
  /** Whether the worker was sent these pixels for a calibration, and may still hold them. */
  holds(images: Images): boolean;
  close(): void;
}
