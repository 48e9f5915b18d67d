/** Between the terms of a pipeline and the messages of `platestream.proto`. */

import { unfitted } from "../../common/assignment/confidence.ts";
import { noReplicates, type Replicates } from "../../common/assignment/replicates.ts";
import type { Images, ModelChoice, Statistics } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { parse } from "../../common/schema.ts";
import { type Serving, servingSchema, sourceServing } from "../../common/serving.ts";
import type { Images as ImagesMessage } from "../../proto/types/platestream/v1/Images.ts";
import type { Model__Output } from "../../proto/types/platestream/v1/Model.ts";
import type { Replicates__Output } from "../../proto/types/platestream/v1/Replicates.ts";
import type { Statistics as StatisticsMessage } from "../../proto/types/platestream/v1/Statistics.ts";
import type { PlacedPixels } from "./shared-pixels.ts";

export const choiceMessage = ({ name = "", cellType = "" }: ModelChoice): { model: string; cell_type: string } => ({
  model: name,
  cell_type: cellType,
});

/** How the pixels of a message go: in it, in shared memory, or not at all where the worker keeps them. */
export type Carried = "inline" | "kept" | PlacedPixels;

export const bytesOf = ({ pixels }: Images): Buffer => Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);

/** `id`: the name under which the worker shall keep the pixels, or does already. */
export const imagesMessage = (images: Images, id: string | undefined, carried: Carried): ImagesMessage => {
  const { pixels, shape, scale, offset } = images;
  return {
    shape: [...shape],
    scale: [...scale],
    offset: [...offset],
    type: pixels instanceof Uint8Array ? "UINT8" : pixels instanceof Uint16Array ? "UINT16" : "FLOAT32",
    ...(id === undefined ? {} : { id }),
    ...carriedAs(images, carried),
  };
};

const carriedAs = (images: Images, carried: Carried): Pick<ImagesMessage, "pixels" | "shared"> => {
  if (carried === "kept") return {};
  if (carried === "inline") return { pixels: bytesOf(images) };
  const { name, offset, bytes, turn } = carried;
  return { shared: { name, offset, bytes, turn } };
};

/** Without their bytes, calibrated statistics are named only: enough for a worker that holds them. */
export const statisticsMessage = (statistics: Statistics, withData: boolean): StatisticsMessage => {
  if (statistics.kind !== "calibrated") return { [statistics.kind]: {} };
  const { id, data } = statistics;
  return { calibrated: withData && data !== undefined ? { id, data } : { id } };
};

/** A worker of an older version says nothing of it. Throws "invalid-model" for what no worker of ours says. */
const servingOf = (message: Model__Output["serving"], where: string): Serving => {
  if (message === null) return sourceServing;
  const { domain, min_images, batch, calibration_images, source_weight, normalize, all_views, sites } = message;
  const received = {
    domain,
    minImages: min_images,
    batch,
    calibrationImages: calibration_images,
    sourceWeight: source_weight,
    allViews: all_views,
    ...(sites === "" ? {} : { sites }),
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
  replicates,
  ...same
}: Model__Output): ModelInfo => ({
  ...same,
  cellType: cell_type,
  plateGroups: plate_groups.map(({ classes }) => classes),
  channelNames: channel_names,
  replicates: replicates === null ? noReplicates : replicatesOf(replicates),
  featureCount: feature_count,
  confidence: confidence === null ? unfitted : confidence,
  serving: servingOf(serving, `network ${same.name} ${cell_type}`),
});

const replicatesOf = ({ across_plates, plate_columns, positions, copies }: Replicates__Output): Replicates => ({
  acrossPlates: across_plates,
  plateColumns: plate_columns,
  positions: positions.map(({ wells }) => wells),
  copies,
});

/** Copies: the bytes of a message need not lie where float32 values may. */
export const readFloats = ({ buffer, byteOffset, byteLength }: Buffer): Float32Array =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
