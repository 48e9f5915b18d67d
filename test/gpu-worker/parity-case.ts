/** Small networks with what PyTorch computes for them (`cases.json` says what each tensor is). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { packageFile } from "../../common/package-file.ts";
import { readSafetensors, type StoredTensor } from "../../common/safetensors.ts";
import { type Architecture, architectureSchema, type Weights } from "../../gpu-worker/network/architecture.ts";
import { emitNetwork, type GraphMode } from "../../gpu-worker/runtime/onnx/network-graph.ts";
import { onnxSessions, type Session } from "../../gpu-worker/runtime/onnx/session.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import type { PixelType } from "../../gpu-worker/runtime/runtime.ts";

export interface ParityCase {
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  expected(name: string): Float32Array;
  /** Inputs of the network for images `from` to `to`: bytes, or another type that holds 257 times as much. */
  inputs(from: number, to: number, type?: PixelType): Tensors;
  open(mode: GraphMode, format: Format, type?: PixelType): Promise<Session>;
}

/** Memory formats that a network is written in. */
export const formats = ["blocked", "plain"] as const;
export type Format = (typeof formats)[number];

export const cpu = onnxSessions("cpu");

export const parityCase = (name: string): ParityCase => {
  const read = (file: string) => readFileSync(packageFile(`test/data/parity/${name}/${file}`));
  const { config } = JSON.parse(read("cases.json").toString());
  const { bn_size: bottleneck, size, ...rest } = config;
  const architecture = architectureSchema.parse({ ...rest, bottleneck, height: size, width: size });
  const floats = (tensors: ReadonlyMap<string, StoredTensor>): Weights =>
    new Map([...tensors].flatMap(([key, { data }]) => (data instanceof Float32Array ? [[key, data]] : [])));
  const weights = floats(readSafetensors(read("weights.safetensors"), name));
  const tensors = readSafetensors(read("cases.safetensors"), name);
  const pixels = tensors.get("pixels")!.data as Uint8Array;
  const plates = tensors.get("plate")!.data as BigInt64Array;
  return {
    architecture,
    weights,
    tensors,
    expected: (key) => tensors.get(key)!.data as Float32Array,
    inputs(from, to, type = "uint8") {
      const images = to - from;
      const { channels } = architecture;
      const image = channels * size * size;
      const bytes = pixels.slice(from * image, to * image);
      const wide = Array.from(bytes, (value) => value * 257);
      const data = type === "uint8" ? bytes : type === "uint16" ? Uint16Array.from(wide) : Float32Array.from(wide);
      const perChannel = (value: number) =>
        float32(new Float32Array(images * channels).fill(value), [images, channels]);
      const oneHot = new Float32Array(images * architecture.plates);
      for (let i = 0; i < images && architecture.plates > 0; i++) {
        oneHot[i * architecture.plates + Number(plates[from + i])] = 1;
      }
      return {
        pixels: { type, data, shape: [images, channels, size, size] },
        scale: perChannel(type === "uint8" ? 1 / 255 : 1 / 65535),
        offset: perChannel(0),
        ...(architecture.plates > 0 ? { plate: float32(oneHot, [images, architecture.plates]) } : {}),
      };
    },
    async open(mode, format, type = "uint8") {
      const block = format === "blocked" ? await cpu.block() : 1;
      const model = emitNetwork({ architecture, weights }, mode, type, { block });
      return cpu.load(model, { threads: 1, unoptimized: block > 1 });
    },
  };
};

const norm = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
};

/** Norm of the difference over the norm of what is expected. */
const relativeError = (actual: ArrayLike<number>, expected: ArrayLike<number>): number =>
  norm(Array.from(expected, (value, index) => actual[index]! - value)) / norm(Array.from(expected));

export const assertClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, limit = 1e-4) => {
  assert.equal(actual.length, expected.length, `${what}: length`);
  const error = relativeError(actual, expected);
  assert.ok(error <= limit, `${what}: relative error ${error}, at most ${limit}`);
};
