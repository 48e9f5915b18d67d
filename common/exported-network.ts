/**
 * A network as servers of the Open Inference Protocol hold it: what it is called there, which tensors it has, and what it
 * says of itself. `pipeline model export --repository` writes it, and a run reads it with `workers: [triton://…]`.
 */
import { z } from "zod";
import { confidenceFitSchema } from "./assignment/confidence.ts";
import { replicatesSchema } from "./assignment/replicates.ts";
import { PlatestreamError } from "./errors.ts";
import type { ModelInfo } from "./model-info.ts";
import { type NormLayer, statisticsCount } from "./norm-statistics.ts";
import { parse } from "./schema.ts";
import { servingSchema } from "./serving.ts";

/**
 * The models of one network. `predict` bears its name and takes statistics as inputs; `calibrate` gives those of a batch;
 * `batch` predicts with those of the batch itself; `about` says what the network is.
 */
export type ExportedTask = "predict" | "calibrate" | "batch" | "about";

export const exportedTasks: readonly ExportedTask[] = ["predict", "calibrate", "batch", "about"];

export const exportedName = (name: string, task: ExportedTask): string =>
  task === "predict" ? name : `${name}.${task}`;

const count = z.int().positive();
const index = z.int().nonnegative();
const numbers = z.array(z.number());

const model: z.ZodType<ModelInfo> = z.strictObject({
  name: z.string().min(1),
  version: z.string().min(1),
  cellType: z.string().min(1),
  trained: z.boolean(),
  classes: z.array(z.string()).min(1),
  controls: z.array(index),
  plateGroups: z.array(z.array(index)),
  channels: count,
  channelNames: z.array(z.string()),
  height: count,
  width: count,
  plates: index,
  featureCount: count,
  serving: servingSchema,
  confidence: confidenceFitSchema,
  copies: z.array(count),
  replicates: replicatesSchema,
});

const schema = z.strictObject({
  format: z.literal("platestream-network/1"),
  model,
  /** The BatchNorm layers, in the order in which their statistics are packed. */
  layers: z.array(z.strictObject({ name: z.string().min(1), maps: count })).min(1),
  /** Per channel: images that bring none of their own are read as pixel * scale + offset. */
  input: z.strictObject({ scale: numbers, offset: numbers }),
});

export interface ExportedNetwork {
  readonly model: ModelInfo;
  readonly layers: readonly NormLayer[];
  readonly input: { readonly scale: readonly number[]; readonly offset: readonly number[] };
}

/** Its bytes are output `network` of model `….about`. */
export const describeExported = ({ model, layers, input }: ExportedNetwork): Uint8Array =>
  Buffer.from(JSON.stringify({ format: "platestream-network/1", model, layers, input }));

/** Throws "invalid-model" where these are not the bytes of a description; `where` names their source. */
export const readExported = (bytes: Uint8Array, where: string): ExportedNetwork => {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new PlatestreamError("invalid-model", `${where} is not JSON`, { cause });
  }
  return parse(schema, value, where, "invalid-model");
};

/** A tensor in the protocol's terms; -1: the number of images. */
export interface ExportedTensor {
  readonly name: string;
  readonly datatype: "UINT8" | "UINT16" | "FP32";
  readonly shape: readonly number[];
}

/** Types of pixels by their name in the protocol. */
export const pixelDatatypes = { uint8: "UINT8", uint16: "UINT16", float32: "FP32" } as const;

/** Inputs and outputs of a model. Output `version` is that of the network, so that no answer can be taken for another's. */
export const exportedTensors = (
  { model, layers }: Pick<ExportedNetwork, "model" | "layers">,
  task: Exclude<ExportedTask, "about">,
  pixels: (typeof pixelDatatypes)[keyof typeof pixelDatatypes],
): { readonly inputs: readonly ExportedTensor[]; readonly outputs: readonly ExportedTensor[] } => {
  const { channels, height, width, plates, classes, featureCount, version } = model;
  const float = (name: string, ...shape: number[]): ExportedTensor => ({ name, datatype: "FP32", shape });
  const statistics = ["mean", "variance"].map((name) => float(name, statisticsCount(layers)));
  return {
    inputs: [
      { name: "pixels", datatype: pixels, shape: [-1, channels, height, width] },
      float("scale", -1, channels),
      float("offset", -1, channels),
      ...(plates > 0 ? [float("plate", -1, plates)] : []),
      ...(task === "predict" ? statistics : []),
    ],
    outputs: [
      ...(task === "calibrate"
        ? statistics
        : [float("logits", -1, classes.length), float("features", -1, featureCount)]),
      { name: "version", datatype: "UINT8", shape: [Buffer.byteLength(version)] },
    ],
  };
};

/** Those of model `….about`: the input is one byte that nobody reads, because servers want one. */
export const aboutTensors = {
  input: { name: "ask", datatype: "UINT8", shape: [1] },
  outputs: ["network", "trained_mean", "trained_variance"],
} as const;
