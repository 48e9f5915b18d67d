/** The messages of `platestream.proto` that a client sends and reads, and their translation. */
import type { ModelChoice, ModelInfo, Statistics } from "../plugin.ts";
import type { PackedBatch } from "./pack.ts";

export interface WireImages {
  readonly pixels: Buffer;
  readonly type: "UINT8" | "UINT16";
  readonly shape: readonly number[];
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

export interface WireStatistics {
  readonly running?: object;
  readonly batch?: object;
  readonly calibrated?: { readonly id: string; readonly data?: Uint8Array };
}

export interface PredictRequest {
  readonly model: string;
  readonly cell_type: string;
  readonly images: WireImages;
  readonly statistics: WireStatistics;
  readonly plates: readonly number[];
  readonly top: number;
}

export interface PredictResponse {
  readonly model: string;
  readonly model_version: string;
  readonly statistics_id: string;
  readonly logits: Buffer;
  readonly features: Buffer;
}

export interface CalibrateRequest {
  readonly model: string;
  readonly cell_type: string;
  readonly images?: WireImages;
  readonly source_weight: number;
  readonly estimate?: { readonly data: Uint8Array; readonly images: number };
}

export interface CalibrateResponse {
  readonly id: string;
  readonly data: Buffer;
}

export interface WireModel {
  readonly name: string;
  readonly version: string;
  readonly cell_type: string;
  readonly trained: boolean;
  readonly classes: readonly string[];
  readonly controls: readonly number[];
  readonly plate_groups: readonly { readonly classes: readonly number[] }[];
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly plates: number;
  readonly feature_count: number;
}

export interface ListModelsResponse {
  readonly models: readonly WireModel[];
  readonly runtime: string;
  readonly provider: string;
  readonly max_batch: number;
}

export const wireChoice = ({ name, cellType }: ModelChoice): { model: string; cell_type: string } => ({
  model: name === undefined ? "" : name,
  cell_type: cellType,
});

export const wireImages = ({ pixels, ...rest }: PackedBatch): WireImages => ({
  ...rest,
  pixels: Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength),
  type: pixels instanceof Uint16Array ? "UINT16" : "UINT8",
});

/** Without their bytes, calibrated statistics are named only: enough for a worker that holds them. */
export const wireStatistics = (statistics: Statistics, withData: boolean): WireStatistics => {
  if (statistics.kind !== "calibrated") return { [statistics.kind]: {} };
  const { id, data } = statistics;
  return { calibrated: withData ? { id, data } : { id } };
};

export const modelInfo = ({ cell_type, plate_groups, feature_count, ...same }: WireModel): ModelInfo => ({
  ...same,
  cellType: cell_type,
  plateGroups: plate_groups.map(({ classes }) => classes),
  featureCount: feature_count,
});

/** Copies: the bytes of a message need not lie where float32 values may. */
export const readFloats = ({ buffer, byteOffset, byteLength }: Buffer): Float32Array =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
