/** The messages of `platestream.proto` as a server reads and writes them, with the options of `loadProto`. */

export interface ImagesMessage {
  readonly pixels: Buffer;
  readonly type: "UINT8" | "UINT16" | "FLOAT32";
  readonly shape: readonly number[];
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

export interface StatisticsMessage {
  readonly kind?: "running" | "batch" | "calibrated";
  readonly calibrated?: { readonly id: string; readonly data: Buffer } | null;
}

export interface PredictRequest {
  readonly id: string;
  readonly model: string;
  readonly cell_type: string;
  readonly images: ImagesMessage | null;
  readonly statistics: StatisticsMessage | null;
  readonly plates: readonly number[];
  readonly top: number;
}

export interface TopClasses {
  readonly index: readonly number[];
  readonly sirna: readonly string[];
  readonly probability: readonly number[];
}

export interface PredictResponse {
  readonly id: string;
  readonly model?: string;
  readonly model_version?: string;
  readonly statistics_id?: string;
  readonly classes?: number;
  readonly feature_count?: number;
  readonly logits?: Buffer;
  readonly probabilities?: Buffer;
  readonly features?: Buffer;
  readonly top?: readonly TopClasses[];
  readonly error?: { readonly code: string; readonly message: string };
}

export interface CalibrateRequest {
  readonly model: string;
  readonly cell_type: string;
  readonly images: ImagesMessage | null;
  readonly source_weight: number;
  readonly estimate: { readonly data: Buffer; readonly images: number } | null;
}

export interface CalibrateResponse {
  readonly id: string;
  readonly data: Buffer;
  readonly images: number;
  readonly model_version: string;
}

export interface ModelMessage {
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
  readonly models: readonly ModelMessage[];
  readonly runtime: string;
  readonly provider: string;
  readonly max_batch: number;
}
