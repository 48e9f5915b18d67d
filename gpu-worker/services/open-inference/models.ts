/** The models of the Open Inference Protocol: two per network, one that predicts and one that calibrates. */
import { PlatestreamError } from "../../../common/errors.ts";
import type { ModelInfo } from "../../../common/model-info.ts";
import type { ModelConfig } from "../../../proto/types/inference/ModelConfig.ts";
import type { ModelMetadataResponse } from "../../../proto/types/inference/ModelMetadataResponse.ts";
import type { Engine } from "../../engine/engine.ts";

export interface ServedModel {
  /** `BUNDLE.CELLTYPE`, or that and `.calibrate`. */
  readonly name: string;
  readonly task: "predict" | "calibrate";
  readonly network: ModelInfo;
}

/** The protocol's only version of a model; what it rests on is `platestream_version` among the response's parameters. */
export const version = "1";

export const servedModels = (engine: Engine): ServedModel[] =>
  engine.models().flatMap((network) => {
    const name = `${network.name}.${network.cellType}`;
    return [
      { name, task: "predict", network } as const,
      { name: `${name}.calibrate`, task: "calibrate", network } as const,
    ];
  });

/** Throws "unknown-model", with a list of those there are. */
export const findModel = (engine: Engine, name: string, asked: string): ServedModel => {
  const models = servedModels(engine);
  const found = models.find((model) => model.name === name);
  if (found !== undefined && (asked === "" || asked === version)) return found;
  throw new PlatestreamError(
    "unknown-model",
    found === undefined
      ? `there is no model "${name}"; there are ${models.map((model) => model.name).join(", ")}`
      : `model ${name} has version ${version} only, not "${asked}"`,
  );
};

interface Tensor {
  readonly name: string;
  readonly type: "UINT8" | "INT32" | "FP32" | "BYTES";
  /** Without the images' dimension. */
  readonly dims: readonly number[];
  readonly optional?: boolean;
}

const inputsOf = ({ task, network }: ServedModel): Tensor[] => {
  const { channels, height, width, plates } = network;
  return [
    { name: "pixels", type: "UINT8", dims: [channels, height, width] },
    { name: "scale", type: "FP32", dims: [channels], optional: true },
    { name: "offset", type: "FP32", dims: [channels], optional: true },
    ...(task === "predict" && plates > 0 ? [{ name: "plate", type: "INT32", dims: [1] } as const] : []),
    ...(task === "predict" ? [{ name: "statistics", type: "UINT8", dims: [-1], optional: true } as const] : []),
  ];
};

const outputsOf = ({ task, network }: ServedModel): Tensor[] =>
  task === "calibrate"
    ? [
        { name: "statistics_id", type: "BYTES", dims: [1] },
        { name: "statistics", type: "UINT8", dims: [-1] },
      ]
    : [
        { name: "logits", type: "FP32", dims: [network.classes.length] },
        { name: "probabilities", type: "FP32", dims: [network.classes.length] },
        { name: "features", type: "FP32", dims: [network.featureCount] },
      ];

export const metadataOf = (model: ServedModel): ModelMetadataResponse => {
  const tensors = (all: Tensor[], batched: boolean) =>
    all.map(({ name, type, dims }) => ({ name, datatype: type, shape: batched ? [-1, ...dims] : [...dims] }));
  return {
    name: model.name,
    versions: [version],
    platform: "platestream",
    inputs: tensors(inputsOf(model), true),
    outputs: tensors(outputsOf(model), model.task === "predict"),
  };
};

/** A model that calibrates takes all images of a domain at once: for it the protocol knows no batch dimension. */
export const configOf = (model: ServedModel, maxBatch: number): ModelConfig => {
  const predicts = model.task === "predict";
  const dimsOf = ({ dims }: Tensor) => (predicts ? [...dims] : [-1, ...dims]);
  return {
    name: model.name,
    platform: "platestream",
    backend: "platestream",
    max_batch_size: predicts ? maxBatch : 0,
    input: inputsOf(model).map((tensor) => ({
      name: tensor.name,
      data_type: dataTypes[tensor.type],
      format: "FORMAT_NONE",
      dims: dimsOf(tensor),
      optional: tensor.optional ?? false,
    })),
    output: outputsOf(model).map(({ name, type, dims }) => ({
      name,
      data_type: dataTypes[type],
      dims: [...dims],
      label_filename: "",
    })),
    model_transaction_policy: { decoupled: false },
  };
};

const dataTypes = { UINT8: "TYPE_UINT8", INT32: "TYPE_INT32", FP32: "TYPE_FP32", BYTES: "TYPE_STRING" } as const;
