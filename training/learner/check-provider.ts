/**
 * Whether a provider computes losses and gradients right: one small batch on it and on the reference, ONNX Runtime's CPU
 * provider, which the tests hold against PyTorch.
 */
import { PlatestreamError } from "../../common/errors.ts";
import { uniformRandom } from "../../common/random.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { relativeError } from "../../gpu-worker/runtime/self-check.ts";
import type { GraphOptions } from "../gradients/graphs.ts";
import type { FlatNetwork } from "./flat.ts";
import { onnxTraining, type TrainingRuntime } from "./training-runtime.ts";

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

const compute = async (runtime: TrainingRuntime, options: GraphOptions, network: FlatNetwork) => {
  const train = await runtime.open("train", options, () => true);
  try {
    return await train.run(knownBatch(options, network), ["loss", "gradient", "means", "variances"]);
  } finally {
    await train.close();
  }
};

/** Throws "wrong-provider" with the output that is furthest off, "invalid-model" where the provider cannot train. */
export const checkTraining = async (
  runtime: TrainingRuntime,
  given: GraphOptions & { readonly threads: number },
  network: FlatNetwork,
): Promise<void> => {
  const { architecture, threads, precision } = given;
  const [height, width] = [Math.min(architecture.height, largestSide), Math.min(architecture.width, largestSide)];
  const options = { ...given, images, architecture: { ...architecture, height, width } };
  const expected = await compute(
    onnxTraining(onnxSessions("cpu"), threads),
    { ...options, precision: "float32" },
    network,
  );
  const actual = await compute(runtime, options, network).catch((cause) => {
    if (PlatestreamError.from(cause).code === "invalid-config") throw cause;
    const why = PlatestreamError.from(cause).rawMessage.trim();
    throw new PlatestreamError("invalid-model", `the provider "${runtime.provider}" cannot train this network: ${why}`);
  });
  for (const [name, { data }] of Object.entries(expected)) {
    const error = relativeError(actual[name]!.data as Float32Array, data as Float32Array);
    if (error <= trainingTolerance[precision]) continue;
    throw new PlatestreamError(
      "wrong-provider",
      `the provider "${runtime.provider}" trains wrong: its ${name} is off by ${error.toPrecision(2)} of its size, ` +
        `at most ${trainingTolerance[precision]} is allowed; train with --provider cpu`,
    );
  }
};
