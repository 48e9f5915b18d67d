/** The tasks of training with TensorFlow.js: the same walk of the network as in inference, with the library's own gradients. */
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import { PlatestreamError } from "../../common/errors.ts";
import { densenet, type Operations } from "../../gpu-worker/network/densenet.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { loadTensorFlow, type Tf, type TfjsProvider } from "../../gpu-worker/runtime/tfjs/load.ts";
import {
  affinePixels,
  fixedStatistics,
  type RunStatistics,
  type Signal,
  tfjsOperations,
} from "../../gpu-worker/runtime/tfjs/network.ts";
import { type FlatIndex, flatIndex, type Slot } from "../learner/flat.ts";
import type { TrainingRuntime, TrainingTask } from "../learner/training-runtime.ts";
import type { GraphOptions } from "./graphs.ts";
import type { Loss } from "./losses.ts";
import { registerDerivatives } from "./tensorflow-derivatives.ts";

/** What gradients of the network need of a backend beyond what inference does. */
const gradientKernels = ["Conv2DBackpropFilter", "Conv2DBackpropInput", "MaxPoolGrad", "AvgPoolGrad", "Step"];

/** Filters lie as [O, I, k, k] in the flat array, and as [k, k, I, O] at the backend. */
const toBackend = [2, 3, 1, 0];
const fromBackend = [3, 2, 0, 1];

const upload = (tf: Tf, { slots }: FlatIndex, weights: Float32Array): Map<string, Tensor> =>
  new Map(
    slots.map(({ name, shape, kind, offset, length }) => {
      const stored = tf.tensor(weights.subarray(offset, offset + length), [...shape], "float32");
      return [name, kind === "convolution" ? tf.transpose(stored, toBackend) : stored];
    }),
  );

/** Rows divided by their length. */
const unit = (tf: Tf, rows: Tensor2D): Tensor2D =>
  tf.div(rows, tf.maximum(tf.sqrt(tf.sum(tf.square(rows), 1, true)), 1e-12));

/** With CosFace, logits are scaled cosines; the bias plays no part, and has a gradient of zeros. */
const withLogits = (
  tf: Tf,
  operations: Operations<Signal>,
  parameters: ReadonlyMap<string, Tensor>,
  { kind, scale }: Loss,
): Operations<Signal> =>
  kind !== "cosface"
    ? operations
    : {
        ...operations,
        linear: ({ tensor }, layer) => {
          const weight = unit(tf, parameters.get(`${layer}.weight`) as Tensor2D);
          const cosines = tf.matMul(unit(tf, tensor as Tensor2D), weight, false, true);
          const nothing = tf.mul(parameters.get(`${layer}.bias`)!, 0);
          return { tensor: tf.add(tf.mul(cosines, scale), nothing), once: false };
        },
      };

/** Mean over the images, as in `losses.ts`. */
const lossOf = (tf: Tf, logits: Tensor2D, target: Tensor2D, loss: Loss): Scalar => {
  const { kind, classes, smoothing, scale, margin } = loss;
  const [images, width] = logits.shape;
  const soft: Tensor2D = smoothing === 0 ? target : tf.add(tf.mul(target, 1 - smoothing), smoothing / width);
  if (kind === "bce") {
    const terms = tf.sub(tf.softplus(logits), tf.mul(soft, logits));
    return tf.div(tf.sum(terms), classes === "mean" ? images * width : images);
  }
  const narrowed = kind === "cosface" ? tf.sub(logits, tf.mul(target, scale * margin)) : logits;
  return tf.div(tf.sum(tf.mul(soft, tf.logSoftmax(narrowed))), -images);
};

type Measured = Map<string, Parameters<RunStatistics["report"]>[1]>;

const walk = (
  tf: Tf,
  { architecture, loss }: GraphOptions,
  parameters: ReadonlyMap<string, Tensor>,
  statistics: RunStatistics,
  inputs: Tensors,
) => {
  const [images, plates] = [inputs.pixels!.shape[0]!, architecture.plates];
  const given = (inputs.plate?.data as Float32Array | undefined) ?? new Float32Array(images * plates);
  const rows = plates > 0 ? tf.tensor2d(given, [images, plates]) : undefined;
  const operations = withLogits(tf, tfjsOperations(tf, parameters, statistics, rows), parameters, loss);
  const { pixels, scale, offset } = inputs;
  const maps = affinePixels(tf, {
    pixels: pixels!.data as Uint8Array | Uint16Array,
    shape: pixels!.shape,
    scale: scale!.data as Float32Array,
    offset: offset!.data as Float32Array,
  });
  return densenet<Signal>(architecture, operations, { tensor: maps, once: false });
};

const numbersOf = async (tensors: Readonly<Record<string, Tensor>>): Promise<Tensors> => {
  const read = Object.entries(tensors).map(async ([name, tensor]) => {
    const data = Float32Array.from(await tensor.data<"float32">());
    return [name, float32(data, tensor.shape)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
};

/** Means and unbiased variances in the index's order. */
const statisticsOf = (tf: Tf, { norms }: FlatIndex, measured: Measured) => {
  const all = norms.map(({ name }) => measured.get(name)!);
  const means = tf.concat(all.map(({ mean }) => mean));
  return { means, variances: tf.concat(all.map(({ variance }) => variance)) };
};

const gradientOf = (tf: Tf, learning: readonly Slot[], gradients: readonly Tensor[]): Tensor1D =>
  tf.concat(
    gradients.map((gradient, index) => {
      const rows = learning[index]!.kind === "convolution" ? tf.transpose(gradient, fromBackend) : gradient;
      return tf.reshape(rows, [-1]) as Tensor1D;
    }),
  );

const compute = (
  tf: Tf,
  task: TrainingTask,
  options: GraphOptions,
  learns: (name: string) => boolean,
  inputs: Tensors,
): Record<string, Tensor> => {
  const index = flatIndex(options.architecture);
  const parameters = upload(tf, index, inputs.weights!.data as Float32Array);
  const measured: Measured = new Map();
  const report: RunStatistics["report"] = (layer, moments) => void measured.set(layer, moments);
  try {
    if (task === "predict") {
      const [mean, variance] = [inputs.means!.data as Float32Array, inputs.variances!.data as Float32Array];
      const fixed = fixedStatistics(tf, options.architecture, { mean, variance });
      const { logits, features } = walk(tf, options, parameters, { fixed, report }, inputs);
      return { logits: logits.tensor, features: features.tensor };
    }
    if (task === "measure") {
      walk(tf, options, parameters, { report }, inputs);
      return statisticsOf(tf, index, measured);
    }
    const learning = index.slots.filter(({ name }) => learns(name));
    const { data, shape } = inputs.target!;
    const target = tf.tensor2d(data as Float32Array, shape as [number, number]);
    const scale = (inputs.loss_scale!.data as Float32Array)[0]!;
    const { value, grads } = tf.valueAndGrads((...learnt: Tensor[]) => {
      const all = new Map([...parameters, ...learning.map(({ name }, place) => [name, learnt[place]!] as const)]);
      const { logits } = walk(tf, options, all, { report }, inputs);
      return lossOf(tf, logits.tensor as Tensor2D, target, options.loss);
    })(learning.map(({ name }) => parameters.get(name)!));
    const gradient = tf.mul(gradientOf(tf, learning, grads), scale);
    return { loss: value, gradient, ...statisticsOf(tf, index, measured) };
  } finally {
    for (const { mean, variance } of measured.values()) tf.dispose([mean, variance]);
  }
};

/** Throws "invalid-model" where TensorFlow.js or the provider is not there. */
export const tensorFlowTraining = async (provider: TfjsProvider, threads: number): Promise<TrainingRuntime> => {
  const tf = await loadTensorFlow(provider, threads);
  registerDerivatives(tf);
  return {
    provider: `tfjs-${provider}`,
    async open(task, options, learns) {
      if (options.precision !== "float32") {
        throw new PlatestreamError(
          "invalid-config",
          "tfjs trains in float32 only; set precision to float32 in the recipe, or train with --runtime onnxruntime",
        );
      }
      const missing = gradientKernels.filter((kernel) => tf.getKernel(kernel, tf.getBackend()) === undefined);
      if (task === "train" && missing.length > 0) {
        throw new PlatestreamError(
          "invalid-config",
          `tfjs on "${provider}" does not train: it has no ${missing.join(", ")}; ` +
            "train on its provider webgpu or tensorflow, or with --runtime onnxruntime",
        );
      }
      return {
        async run(inputs) {
          const outputs = tf.tidy(() => compute(tf, task, options, learns, inputs));
          try {
            return await numbersOf(outputs);
          } finally {
            tf.dispose(outputs);
          }
        },
        close: async () => undefined,
      };
    },
  };
};
