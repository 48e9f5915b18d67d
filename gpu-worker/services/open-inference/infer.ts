/** ModelInfer, from tensors to the engine and back. */

import type { Images, Statistics } from "../../../common/inference.ts";
import { sigmoid } from "../../../common/quantities.ts";
import type { InferParameter } from "../../../proto/types/inference/InferParameter.ts";
import type { ModelInferRequest__Output } from "../../../proto/types/inference/ModelInferRequest.ts";
import type { ModelInferResponse } from "../../../proto/types/inference/ModelInferResponse.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Asks } from "../requests.ts";
import { topClasses } from "../top-classes.ts";
import { findModel, type ServedModel, version } from "./models.ts";
import { invalid, type Parameters, parameter, wholeParameter } from "./parameters.ts";
import type { SharedMemory } from "./shared-memory.ts";
import { bytesOfTexts, type Input, numbersOf, pixelsOf, readInputs } from "./tensors.ts";

interface Output {
  readonly datatype: "FP32" | "UINT8" | "BYTES";
  readonly shape: number[];
  readonly bytes: Buffer;
  /** What a classification reads: a row per image. */
  readonly values?: Float32Array;
}

interface Inferred {
  readonly outputs: Readonly<Record<string, Output>>;
  readonly parameters: Record<string, InferParameter>;
}

export interface Inference {
  readonly engine: Engine;
  readonly memory: SharedMemory;
  readonly signal: AbortSignal;
  readonly asks: Asks;
}

/** Throws `PlatestreamError`s. */
export const infer = async (request: ModelInferRequest__Output, inference: Inference): Promise<ModelInferResponse> => {
  const { engine, memory, asks } = inference;
  const model = findModel(engine, request.model_name, request.model_version);
  const { name, cellType, classes } = model.network;
  const inputs = readInputs(request, memory);
  const images = imagesOf(model, inputs);
  asks({ name, cellType }, images.shape[0], { path: inputs.get("pixels")!.path, bytes: images.pixels.byteLength });
  const work = model.task === "predict" ? predict : calibrate;
  const { outputs, parameters } = await work(model, images, inputs, request.parameters, inference);

  const wanted =
    request.outputs.length > 0
      ? request.outputs
      : Object.keys(outputs).map((each) => ({ name: each, parameters: {} as Parameters }));
  const response: Required<Pick<ModelInferResponse, "outputs" | "raw_output_contents">> = {
    outputs: [],
    raw_output_contents: [],
  };
  for (const { name: each, parameters: asked } of wanted) {
    const found = Object.hasOwn(outputs, each) ? outputs[each]! : undefined;
    if (found === undefined) {
      throw invalid(`model ${model.name} has no output "${each}"; it has ${Object.keys(outputs).join(", ")}`);
    }
    const count = wholeParameter(asked, "classification") ?? 0;
    const { datatype, shape, bytes } = count > 0 ? classified(found, each, count, classes) : found;
    const part = memory.regionOf(asked);
    if (part === undefined) {
      response.outputs.push({ name: each, datatype, shape });
      response.raw_output_contents.push(bytes);
    } else {
      if (bytes.byteLength > part.bytes) {
        throw invalid(`output "${each}" takes ${bytes.byteLength} bytes, its shared memory has ${part.bytes}`);
      }
      memory.write(part, bytes);
      const { name: region } = part.region;
      response.outputs.push({
        name: each,
        datatype,
        shape,
        parameters: {
          shared_memory_region: { string_param: region },
          shared_memory_offset: { int64_param: part.offset },
          shared_memory_byte_size: { int64_param: bytes.byteLength },
        },
      });
    }
  }
  return { model_name: model.name, model_version: version, id: request.id, parameters, ...response };
};

type Work = (
  model: ServedModel,
  images: Images,
  inputs: ReadonlyMap<string, Input>,
  parameters: Parameters,
  inference: Inference,
) => Promise<Inferred>;

const predict: Work = async ({ network }, images, inputs, parameters, { engine, signal }) => {
  const statistics = statisticsOf(parameters, inputs.get("statistics"));
  const { name, cellType } = network;
  const prediction = await engine.predict({ name, cellType }, images, statistics, { signal });
  const { logits, features } = prediction;
  const [count] = images.shape;
  const float = (values: Float32Array): Output => ({
    datatype: "FP32",
    shape: [count, values.length / count],
    bytes: Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
    values,
  });
  return {
    outputs: {
      logits: float(logits),
      probabilities: float(logits.map(sigmoid)),
      features: float(features),
    },
    parameters: {
      statistics_id: { string_param: prediction.statistics },
      platestream_version: { string_param: network.version },
    },
  };
};

const calibrate: Work = async ({ network }, images, _, parameters, { engine, signal }) => {
  const [count, ...rest] = images.shape;
  const batch = wholeParameter(parameters, "batch") ?? 8;
  const sourceWeight = wholeParameter(parameters, "source_weight") ?? 0;
  const { name, cellType } = network;
  const calibration = engine.calibrate({ name, cellType }, sourceWeight, signal);
  const size = images.pixels.length / count;
  for (let from = 0; from < count; from += Math.max(1, batch)) {
    const to = batch === 0 ? count : Math.min(count, from + batch);
    const pixels = images.pixels.subarray(from * size, to * size);
    await calibration.add({ ...images, ...partOf(images, from, to), pixels, shape: [to - from, ...rest] });
    if (batch === 0) break;
  }
  const { id, data } = await calibration.finish();
  return {
    outputs: {
      statistics_id: { datatype: "BYTES", shape: [1], bytes: bytesOfTexts([id]) },
      statistics: {
        datatype: "UINT8",
        shape: [data.byteLength],
        bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      },
    },
    parameters: { platestream_version: { string_param: network.version } },
  };
};

/** Scales and offsets are one for all images, or one for each. */
const partOf = ({ scale, offset, shape: [, channels] }: Images, from: number, to: number) => {
  const part = (values: readonly number[]) =>
    values.length > channels ? values.slice(from * channels, to * channels) : values;
  return { scale: part(scale), offset: part(offset) };
};

const imagesOf = (model: ServedModel, inputs: ReadonlyMap<string, Input>): Images => {
  const known = ["pixels", "scale", "offset", ...(model.task === "predict" ? ["plate", "statistics"] : [])];
  const unknown = [...inputs.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalid(`model ${model.name} has no input "${unknown}"; it has ${known.join(", ")}`);
  }
  const pixels = inputs.get("pixels");
  if (pixels === undefined) throw invalid(`model ${model.name} needs the input "pixels"`);
  const numbers = (name: string): number[] => {
    const input = inputs.get(name);
    return input === undefined ? [] : numbersOf(input);
  };
  return {
    pixels: pixelsOf(pixels),
    shape: pixels.shape as unknown as Images["shape"],
    scale: numbers("scale"),
    offset: numbers("offset"),
    plates: numbers("plate"),
  };
};

/** By the parameters `statistics` (running, batch or calibrated) and `statistics_id`; the input brings their bytes. */
const statisticsOf = (parameters: Parameters, bytes: Input | undefined): Statistics => {
  const id = parameter(parameters, "statistics_id");
  const kind = parameter(parameters, "statistics") ?? (id === undefined ? "running" : "calibrated");
  if (kind === "running" || kind === "batch") return { kind };
  if (kind !== "calibrated") {
    throw invalid(`the parameter "statistics" is running, batch or calibrated, not ${JSON.stringify(kind)}`);
  }
  if (typeof id !== "string" || id === "") {
    throw invalid('calibrated statistics are named by the parameter "statistics_id", as a model `….calibrate` gave it');
  }
  return bytes === undefined ? { kind, id } : { kind, id, data: new Uint8Array(bytes.bytes) };
};

/** Texts `VALUE:INDEX:CLASS`, best first. */
const classified = ({ values, shape }: Output, name: string, count: number, classes: readonly string[]): Output => {
  const [images, length] = shape as [number, number];
  if (values === undefined || length !== classes.length) throw invalid(`output "${name}" has no classes to name`);
  const most = Math.min(count, length);
  const texts = Array.from({ length: images }, (_, image) =>
    topClasses(values.subarray(image * length, (image + 1) * length), most).map(
      ({ index, value }) => `${value.toFixed(6)}:${index}:${classes[index]}`,
    ),
  );
  return { datatype: "BYTES", shape: [images, most], bytes: bytesOfTexts(texts.flat()) };
};
