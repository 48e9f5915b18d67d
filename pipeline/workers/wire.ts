/** Between the terms of a pipeline and the messages on the wire. */

import type {
  ImagesMessage,
  ModelMessage,
  Sent,
  ServingMessage,
  StatisticsMessage,
} from "../../common/grpc/messages.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { parse } from "../../common/schema.ts";
import { type Serving, servingSchema, sourceServing } from "../../common/serving.ts";
import type { PackedBatch } from "./pack.ts";
import type { ModelChoice, Statistics } from "./workers.ts";

export const wireChoice = ({ name, cellType }: ModelChoice): { model: string; cell_type: string } => ({
  model: name === undefined ? "" : name,
  cell_type: cellType,
});

export const wireImages = ({ pixels, ...rest }: PackedBatch): Sent<ImagesMessage> => ({
  ...rest,
  pixels: Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength),
  type: pixels instanceof Uint16Array ? "UINT16" : "UINT8",
});

/** Without their bytes, calibrated statistics are named only: enough for a worker that holds them. */
export const wireStatistics = (statistics: Statistics, withData: boolean): Sent<StatisticsMessage> => {
  if (statistics.kind !== "calibrated") return { [statistics.kind]: {} };
  const { id, data } = statistics;
  return { calibrated: withData ? { id, data } : { id } };
};

/** A worker of an older version says nothing of it. Throws "invalid-model" for what no worker of ours says. */
const servingOf = (message: ServingMessage | null, where: string): Serving => {
  if (message === null) return sourceServing;
  const { domain, min_images, batch, calibration_images, source_weight, normalize } = message;
  const told = {
    domain,
    minImages: min_images,
    batch,
    calibrationImages: calibration_images,
    sourceWeight: source_weight,
  };
  return parse(servingSchema, { ...told, normalize }, `${where}, as its worker says it is served`, "invalid-model");
};

export const modelInfo = ({ cell_type, plate_groups, feature_count, serving, ...same }: ModelMessage): ModelInfo => ({
  ...same,
  cellType: cell_type,
  plateGroups: plate_groups.map(({ classes }) => classes),
  featureCount: feature_count,
  serving: servingOf(serving, `network ${same.name} ${cell_type}`),
});

/** Copies: the bytes of a message need not lie where float32 values may. */
export const readFloats = ({ buffer, byteOffset, byteLength }: Buffer): Float32Array =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
