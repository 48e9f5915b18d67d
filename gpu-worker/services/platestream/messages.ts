/** Between the messages of `platestream.proto` and the engine's terms. */

import { PlatestreamError } from "../../../common/errors.ts";
import type { Images, ModelChoice, Prediction, Statistics } from "../../../common/inference.ts";
import type { ModelInfo } from "../../../common/model-info.ts";
import { sigmoid } from "../../../common/quantities.ts";
import type { Images__Output } from "../../../proto/types/platestream/v1/Images.ts";
import type { ListModelsResponse } from "../../../proto/types/platestream/v1/ListModelsResponse.ts";
import type { Model } from "../../../proto/types/platestream/v1/Model.ts";
import type { PredictRequest__Output } from "../../../proto/types/platestream/v1/PredictRequest.ts";
import type { PredictResponse } from "../../../proto/types/platestream/v1/PredictResponse.ts";
import type { Statistics__Output } from "../../../proto/types/platestream/v1/Statistics.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ReceivedPixels } from "../requests.ts";
import { type Ranked, topClasses } from "../top-classes.ts";
import type { SharedFiles } from "./shared-pixels.ts";

/** Whatever was not sent may be any. */
export const choiceFrom = ({ model, cell_type }: { model: string; cell_type: string }): ModelChoice => ({
  name: model === "" ? undefined : model,
  cellType: cell_type === "" ? undefined : cell_type,
});

const readPixels = (bytes: Buffer, type: Images__Output["type"]): Images["pixels"] => {
  if (type === "UINT8") return bytes;
  const size = type === "UINT16" ? 2 : 4;
  if (bytes.byteLength % size !== 0) {
    throw new PlatestreamError(
      "invalid-request",
      `pixels of type ${type} take ${size} bytes each, which ${bytes.byteLength} bytes are not a multiple of`,
    );
  }
  // The bytes of a message lie anywhere, wider values only at multiples of their size.
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : Buffer.from(Uint8Array.from(bytes).buffer);
  const Values = type === "UINT16" ? Uint16Array : Float32Array;
  return new Values(buffer as ArrayBuffer, byteOffset, bytes.byteLength / size);
};

/** Memory that holds little else than the pixels may go to the computing thread as it is. */
export const mostlyPixels = ({ pixels: { buffer, byteLength } }: Images): boolean =>
  byteLength > 64 * 1024 && byteLength > 0.9 * buffer.byteLength;

export interface ReceivedImages {
  readonly images: Images;
  readonly pixels: ReceivedPixels;
}

export const imagesFrom = (
  message: Images__Output | null,
  plates: readonly number[],
  files: SharedFiles,
): ReceivedImages => {
  if (message === null) throw new PlatestreamError("invalid-request", "a request brings images; `images` is not set");
  const { pixels, shared, type, shape, scale, offset } = message;
  if (shared !== null && pixels.byteLength > 0) {
    throw new PlatestreamError("invalid-request", "pixels are in the request or in shared memory, not in both");
  }
  const bytes = shared === null ? pixels : files.read(shared);
  return {
    images: { pixels: readPixels(bytes, type), shape: shape as unknown as Images["shape"], scale, offset, plates },
    pixels: { path: shared === null ? "socket" : "shared-memory", bytes: bytes.byteLength },
  };
};

export const statisticsFrom = (message: Statistics__Output | null): Statistics => {
  if (message === null || message.kind === undefined) return { kind: "running" };
  if (message.kind !== "calibrated") return { kind: message.kind };
  const { id, data } = message.calibrated!;
  // The bytes are copied: they share memory with pixels, which may go to another thread.
  return data.byteLength === 0 ? { kind: "calibrated", id } : { kind: "calibrated", id, data: new Uint8Array(data) };
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

/** Classes of an image that are returned where the request does not say how many. */
const defaultTop = 5;

export const responseTo = (
  { id, top, _top }: PredictRequest__Output,
  { model, statistics, logits, features }: Prediction,
): PredictResponse => {
  const probabilities = logits.map(sigmoid);
  const count = _top === undefined ? defaultTop : top!;
  const classes = model.classes.length;
  return {
    id,
    model: model.name,
    model_version: model.version,
    statistics_id: statistics,
    classes,
    feature_count: model.featureCount,
    logits: bytesOf(logits),
    probabilities: bytesOf(probabilities),
    features: bytesOf(features),
    top: count === 0 ? [] : rowsOf(probabilities, classes).map((row) => named(topClasses(row, count), model)),
  };
};

const rowsOf = (values: Float32Array, length: number): Float32Array[] =>
  Array.from({ length: values.length / length }, (_, row) => values.subarray(row * length, (row + 1) * length));

const named = (ranked: readonly Ranked[], { classes }: ModelInfo) => ({
  index: ranked.map(({ index }) => index),
  treatment: ranked.map(({ index }) => classes[index]!),
  probability: ranked.map(({ value }) => value),
});

const modelMessage = ({
  cellType,
  plateGroups,
  featureCount,
  channelNames,
  classes,
  controls,
  copies,
  replicates,
  serving,
  ...same
}: ModelInfo): Model => ({
  ...same,
  classes: [...classes],
  controls: [...controls],
  copies: [...copies],
  replicates: {
    across_plates: replicates.acrossPlates,
    plate_columns: [...replicates.plateColumns],
    positions: replicates.positions.map((wells) => ({ wells: [...wells] })),
    copies: [...replicates.copies],
  },
  cell_type: cellType,
  plate_groups: plateGroups.map((group) => ({ classes: [...group] })),
  channel_names: [...channelNames],
  feature_count: featureCount,
  serving: {
    domain: serving.domain,
    min_images: serving.minImages,
    batch: serving.batch,
    calibration_images: serving.calibrationImages,
    source_weight: serving.sourceWeight,
    normalize: serving.normalize,
    all_views: serving.allViews,
    sites: serving.sites,
  },
});

export const modelsOf = (engine: Engine): ListModelsResponse => ({
  models: engine.models().map(modelMessage),
  runtime: engine.device.runtime,
  provider: engine.device.provider,
  max_batch: engine.maxBatch,
  best_batch: engine.device.bestBatch,
  precision: engine.device.precision,
  threads: engine.device.threads,
  refused: engine.device.refused.map(({ provider, reason }) => ({ provider, reason })),
});
