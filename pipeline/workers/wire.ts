/** Between the terms of a pipeline and the messages on the wire. */

import type { ImagesMessage, ModelMessage, Sent, StatisticsMessage } from "../../common/grpc/messages.ts";
import type { ModelInfo } from "../../common/model-info.ts";
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

export const modelInfo = ({ cell_type, plate_groups, feature_count, ...same }: ModelMessage): ModelInfo => ({
  ...same,
  cellType: cell_type,
  plateGroups: plate_groups.map(({ classes }) => classes),
  featureCount: feature_count,
});

/** Copies: the bytes of a message need not lie where float32 values may. */
export const readFloats = ({ buffer, byteOffset, byteLength }: Buffer): Float32Array =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
