/** Between the messages on the wire and the engine's terms. */
import { PlatestreamError } from "../../common/errors.ts";
import type {
  ImagesMessage,
  ListModelsResponse,
  ModelMessage,
  PredictRequest,
  PredictResponse,
  Sent,
  StatisticsMessage,
  TopClasses,
} from "../../common/grpc/messages.ts";
import type { Engine, EnginePrediction, PixelBatch, ServedModel, StatisticsChoice } from "../engine/engine.ts";

/** Copies: the bytes of a message lie anywhere, wider values only at multiples of their size. */
const aligned = ({ buffer, byteOffset, byteLength }: Buffer): ArrayBuffer =>
  buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;

const readPixels = (bytes: Buffer, type: ImagesMessage["type"]): PixelBatch["pixels"] => {
  if (type === "UINT8") return bytes;
  const size = type === "UINT16" ? 2 : 4;
  if (bytes.byteLength % size !== 0) {
    throw new PlatestreamError(
      "invalid-request",
      `pixels of type ${type} take ${size} bytes each, which ${bytes.byteLength} bytes are no multiple of`,
    );
  }
  return type === "UINT16" ? new Uint16Array(aligned(bytes)) : new Float32Array(aligned(bytes));
};

/** Memory that holds little else than the pixels may go to the computing thread as it is. */
const mostlyPixels = ({ buffer, byteLength }: ArrayBufferView): boolean =>
  byteLength > 64 * 1024 && byteLength > 0.9 * buffer.byteLength;

export const imagesFrom = (message: ImagesMessage | null): PixelBatch => {
  if (message === null) throw new PlatestreamError("invalid-request", "a request brings images; `images` is not set");
  const pixels = readPixels(message.pixels, message.type);
  return {
    pixels,
    shape: message.shape as unknown as PixelBatch["shape"],
    scale: message.scale,
    offset: message.offset,
    transferable: mostlyPixels(pixels),
  };
};

export const statisticsFrom = (message: StatisticsMessage | null): StatisticsChoice => {
  if (message === null || message.kind === undefined) return { kind: "running" };
  if (message.kind !== "calibrated") return { kind: message.kind };
  const { id, data } = message.calibrated!;
  // The bytes are copied: they share memory with pixels, which may go to another thread.
  return data.byteLength === 0 ? { kind: "calibrated", id } : { kind: "calibrated", id, data: new Uint8Array(data) };
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

const topClasses = (probabilities: Float32Array, count: number, names: readonly string[]): TopClasses => {
  const index = Array.from(probabilities.keys())
    .sort((a, b) => probabilities[b]! - probabilities[a]! || a - b)
    .slice(0, count);
  return {
    index,
    treatment: index.map((each) => names[each]!),
    probability: index.map((each) => probabilities[each]!),
  };
};

export const responseTo = (
  { id, top }: PredictRequest,
  { model, statistics, logits, features }: EnginePrediction,
): Sent<PredictResponse> => {
  const classes = model.classes.length;
  const probabilities = logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  const count = top === 0 ? 5 : top;
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
    top: Array.from({ length: logits.length / classes }, (_, image) =>
      topClasses(probabilities.subarray(image * classes, (image + 1) * classes), count, model.classes),
    ),
  };
};

const modelMessage = ({ cellType, plateGroups, featureCount, serving, ...same }: ServedModel): ModelMessage => ({
  ...same,
  cell_type: cellType,
  plate_groups: plateGroups.map((classes) => ({ classes })),
  feature_count: featureCount,
  serving: {
    domain: serving.domain,
    min_images: serving.minImages,
    batch: serving.batch,
    calibration_images: serving.calibrationImages,
    source_weight: serving.sourceWeight,
    normalize: serving.normalize,
  },
});

export const modelsOf = (engine: Engine): ListModelsResponse => ({
  models: engine.models().map(modelMessage),
  runtime: engine.runtime,
  provider: engine.provider,
  max_batch: engine.maxBatch,
});
