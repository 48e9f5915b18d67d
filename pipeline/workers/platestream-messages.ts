/** Between the terms of a pipeline and the messages of `platestream.proto`. */
import { unfitted } from "../../common/assignment/confidence.ts";
import type { Images, ModelChoice, Statistics } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { parse } from "../../common/schema.ts";
import { type Serving, servingSchema, sourceServing } from "../../common/serving.ts";
import type { Images as ImagesMessage } from "../../proto/types/platestream/v1/Images.ts";
import type { Model__Output } from "../../proto/types/platestream/v1/Model.ts";
import type { Statistics as StatisticsMessage } from "../../proto/types/platestream/v1/Statistics.ts";

export const choiceMessage = ({ name = "", cellType = "" }: ModelChoice): { model: string; cell_type: string } => ({
  model: name,
  cell_type: cellType,
});

/** `id`: the name under which the worker shall keep the pixels, or does already where `withPixels` is false. */
export const imagesMessage = (
  { pixels, shape, scale, offset }: Images,
  id: string | undefined,
  withPixels = true,
): ImagesMessage => ({
  shape: [...shape],
  scale: [...scale],
  offset: [...offset],
  type: pixels instanceof Uint8Array ? "UINT8" : pixels instanceof Uint16Array ? "UINT16" : "FLOAT32",
  ...(id === undefined ? {} : { id }),
  ...(withPixels ? { pixels: Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength) } : {}),
});

/** Without their bytes, calibrated statistics are named only: enough for a worker that holds them. */
export const statisticsMessage = (statistics: Statistics, withData: boolean): StatisticsMessage => {
  if (statistics.kind !== "calibrated") return { [statistics.kind]: {} };
  const { id, data } = statistics;
  return { calibrated: withData && data !== undefined ? { id, data } : { id } };
};

/** A worker of an older version says nothing of it. Throws "invalid-model" for what no worker of ours says. */
const servingOf = (message: Model__Output["serving"], where: string): Serving => {
  if (message === null) return sourceServing;
  const { domain, min_images, batch, calibration_images, source_weight, normalize } = message;
  const received = {
    domain,
    minImages: min_images,
    batch,
    calibrationImages: calibration_images,
    sourceWeight: source_weight,
  };
  return parse(servingSchema, { ...received, normalize }, `${where}, as its worker says it is served`, "invalid-model");
};

export const modelInfo = ({
  cell_type,
  plate_groups,
  feature_count,
  serving,
  confidence,
  channel_names,
  ...same
}: Model__Output): ModelInfo => ({
  ...same,
  cellType: cell_type,
  plateGroups: plate_groups.map(({ classes }) => classes),
  channelNames: channel_names,
  featureCount: feature_count,
  confidence: confidence === null ? unfitted : confidence,
  serving: servingOf(serving, `network ${same.name} ${cell_type}`),
});

/** Copies: the bytes of a message need not lie where float32 values may. */
export const readFloats = ({ buffer, byteOffset, byteLength }: Buffer): Float32Array =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
