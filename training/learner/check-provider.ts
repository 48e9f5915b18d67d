/**
 * Whether a provider computes losses and gradients right: one small batch on it and on the reference, ONNX Runtime's CPU
 * provider, which the tests hold against PyTorch.
 */
import { PlatestreamError } from "../../common/errors.ts";
import { uniformRandom } from "../../common/random.ts";
import { type OnnxSessions, onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { relativeError } from "../../gpu-worker/runtime/self-check.ts";
import { type GraphOptions, trainingGraph, usableBlock } from "../gradients/graphs.ts";
import type { FlatNetwork } from "./flat.ts";

/** Largest relative error; an input of a ReLU that rounding moves across zero changes a gradient by more than rounding. */
const trainingTolerance = { float32: 1e-2, float16: 1e-1 } as const;

const images = 2;
const largestSide = 64;

const knownBatch = ({ architecture }: GraphOptions, { weights }: FlatNetwork): Tensors => {
  const { channels, height, width, classes, plates } = architecture;
  const random = uniformRandom(1);
  const pixels = Uint8Array.from({ length: images * channels * height * width }, () => 256 * random());
  const oneHot = (length: number) => Float32Array.from({ length: images * length }, (_, i) => Number(i % length === 0));
  return {
    pixels: { type: "uint8", data: pixels, shape: [images, channels, height, width] },
    scale: float32(new Float32Array(images * channels).fill(1 / 255), [images, channels]),
    offset: float32(new Float32Array(images * channels), [images, channels]),
    weights: float32(weights, [weights.length]),
    target: float32(oneHot(classes), [images, classes]),
    loss_scale: float32(Float32Array.of(1), []),
    ...(plates > 0 ? { plate: float32(oneHot(plates), [images, plates]) } : {}),
  };
};

const compute = async (sessions: OnnxSessions, options: GraphOptions, network: FlatNetwork, threads: number) => {
  const block = usableBlock(options, await sessions.block());
  const { model } = trainingGraph({ ...options, block, poolIndices: sessions.provider !== "webgpu" }, () => true);
  const session = await sessions.load(model, { threads, unplannedMemory: true, unoptimized: block > 1 });
  try {
    return await session.run(knownBatch(options, network), ["loss", "gradient", "means", "variances"]);
  } finally {
    await session.close();
  }
};

/** Throws "wrong-provider" with the output that is furthest off, "invalid-model" where the provider cannot train. */
export const checkTraining = async (
  sessions: OnnxSessions,
  given: GraphOptions & { readonly threads: number },
  network: FlatNetwork,
): Promise<void> => {
  const { architecture, threads, precision } = given;
  const [height, width] = [Math.min(architecture.height, largestSide), Math.min(architecture.width, largestSide)];
  const options = { ...given, images, architecture: { ...architecture, height, width } };
  const expected = await compute(onnxSessions("cpu"), { ...options, precision: "float32" }, network, threads);
  const actual = await compute(sessions, options, network, threads).catch((cause) => {
    const why = PlatestreamError.from(cause).rawMessage.trim();
    throw new PlatestreamError(
      "invalid-model",
      `the provider "${sessions.provider}" cannot train this network: ${why}`,
    );
  });
  for (const [name, { data }] of Object.entries(expected)) {
    const error = relativeError(actual[name]!.data as Float32Array, data as Float32Array);
    if (error <= trainingTolerance[precision]) continue;
    throw new PlatestreamError(
      "wrong-provider",
      `the provider "${sessions.provider}" trains wrong: its ${name} is off by ${error.toPrecision(2)} of its size, ` +
        `at most ${trainingTolerance[precision]} is allowed; train with --provider cpu`,
    );
  }
};
