/**
 * The messages of `platestream.proto` as they are read with the options of `loadProto`: a field that was not sent has
 * the default of its type, and a message that was not sent is null.
 */

/** A message as it is sent: what is left out arrives as its default. */
export type Sent<T> = T extends Buffer
  ? Uint8Array
  : T extends readonly (infer Item)[]
    ? readonly Sent<Item>[]
    : T extends object
      ? { readonly [Field in keyof T]?: Sent<T[Field]> }
      : T;

export interface ImagesMessage {
  readonly pixels: Buffer;
  readonly type: "UINT8" | "UINT16" | "FLOAT32";
  readonly shape: readonly number[];
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

export interface StatisticsMessage {
  /** The one of the following that was sent. */
  readonly kind?: "running" | "batch" | "calibrated";
  readonly running?: object | null;
  readonly batch?: object | null;
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
  readonly treatment: readonly string[];
  readonly probability: readonly number[];
}

export interface PredictResponse {
  readonly id: string;
  readonly model: string;
  readonly model_version: string;
  readonly statistics_id: string;
  readonly classes: number;
  readonly feature_count: number;
  readonly logits: Buffer;
  readonly probabilities: Buffer;
  readonly features: Buffer;
  readonly top: readonly TopClasses[];
  readonly error: { readonly code: string; readonly message: string } | null;
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
  readonly serving: ServingMessage | null;
}

export interface ServingMessage {
  readonly domain: string;
  readonly min_images: number;
  readonly batch: number;
  readonly calibration_images: number;
  readonly source_weight: number;
  readonly normalize: string;
}

export interface ListModelsResponse {
  readonly models: readonly ModelMessage[];
  readonly runtime: string;
  readonly provider: string;
  readonly max_batch: number;
}
