/** The network's operations with TensorFlow.js: maps are [N, H, W, C], which every backend of it computes. */
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";
import type { PackedStatistics } from "../../../common/norm-statistics.ts";
import { type Architecture, epsilon, type Network, normLayers, parameters } from "../../network/architecture.ts";
import type { Operations, Window } from "../../network/densenet.ts";
import type { NetworkInputs } from "../runtime.ts";
import type { Tf } from "./load.ts";

/**
 * A value on its way. One that is read only once is given back as soon as it was read, for the maps of a whole network
 * would not fit; the others go with the `tidy` around the run.
 */
export interface Signal {
  readonly tensor: Tensor;
  readonly once: boolean;
}

/** [N, C, H, W] -> float32 [N, H, W, C], times scale, plus offset. */
export const affinePixels = (
  tf: Tf,
  { pixels, shape, scale, offset }: Pick<NetworkInputs, "pixels" | "shape" | "scale" | "offset">,
): Tensor =>
  tf.tidy(() => {
    const [images, channels, height, width] = shape as [number, number, number, number];
    const numbers = pixels instanceof Float32Array ? pixels : Float32Array.from(pixels);
    const rows = tf.transpose(tf.tensor4d(numbers, [images, channels, height, width]), [0, 2, 3, 1]);
    const perImage = (values: Float32Array) => tf.tensor4d(values, [images, 1, 1, channels]);
    return tf.add(tf.mul(rows, perImage(scale)), perImage(offset));
  });

/** The network's parameters as the backend holds them: filters as [k, k, I, O], the rest as it is. */
export type Parameters = ReadonlyMap<string, Tensor>;

export const uploadParameters = (tf: Tf, { architecture, weights }: Network): Parameters =>
  new Map(
    parameters(architecture)
      .filter(({ kind }) => kind !== "statistic")
      .map(({ name, shape, kind }) => {
        const stored = tf.tensor(weights.get(name)!, [...shape], "float32");
        if (kind !== "convolution") return [name, stored] as const;
        const filter = tf.transpose(stored, [2, 3, 1, 0]);
        stored.dispose();
        return [name, filter] as const;
      }),
  );

/** Mean and variance per channel of one layer. */
interface Moments {
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
}

export interface RunStatistics {
  /** What a layer normalises with; undefined: with the batch's own. */
  readonly fixed?: (layer: string) => Moments;
  /** Gets the batch's own statistics, the variance unbiased. */
  readonly report: (layer: string, moments: Moments) => void;
}

/** Cuts packed statistics into those of the layers. */
export const fixedStatistics = (
  tf: Tf,
  architecture: Architecture,
  packed: PackedStatistics,
): NonNullable<RunStatistics["fixed"]> => {
  const places = new Map<string, readonly [from: number, to: number]>();
  let first = 0;
  for (const { name, maps } of normLayers(architecture)) {
    places.set(name, [first, first + maps]);
    first += maps;
  }
  return (layer) => {
    const [from, to] = places.get(layer)!;
    return { mean: tf.tensor1d(packed.mean.slice(from, to)), variance: tf.tensor1d(packed.variance.slice(from, to)) };
  };
};

export const tfjsOperations = (
  tf: Tf,
  stored: Parameters,
  statistics: RunStatistics,
  plate: Tensor2D | undefined,
): Operations<Signal> => {
  const vector = (name: string) => stored.get(name) as Tensor1D;
  const maps = ({ tensor }: Signal) => tensor as Tensor4D;
  const fresh = (tensor: Tensor): Signal => ({ tensor, once: true });
  /** Reads a signal, whose memory is given back where nobody else reads it. */
  const reading = (signal: Signal, read: (maps: Tensor4D) => Tensor): Signal => {
    const result = read(maps(signal));
    if (signal.once) signal.tensor.dispose();
    return fresh(result);
  };
  /** In steps, for one long sum in single precision would lose digits. */
  const average = (values: Tensor4D): Tensor1D => tf.tidy(() => tf.mean(tf.mean(tf.mean(values, 2), 1), 0));
  const pad = ({ padding }: Window) => padding;

  /** Two passes: the mean first, then the variance of what is left. */
  const normaliseWithOwn = (values: Tensor4D, layer: string): Tensor =>
    tf.tidy(() => {
      const mean = average(values);
      const centred = tf.sub(values, mean) as Tensor4D;
      const variance = average(tf.square(centred));
      const count = values.size / values.shape[3];
      const unbiased = tf.mul(variance, count / (count - 1)) as Tensor1D;
      statistics.report(layer, { mean: tf.keep(mean), variance: tf.keep(unbiased) });
      const factor = tf.div(vector(`${layer}.weight`), tf.sqrt(tf.add(variance, epsilon)));
      return tf.add(tf.mul(centred, factor), vector(`${layer}.bias`));
    });

  const normaliseWith = (values: Tensor4D, layer: string, { mean, variance }: Moments): Tensor =>
    tf.tidy(() => {
      const factor = tf.div(vector(`${layer}.weight`), tf.sqrt(tf.add(variance, epsilon)));
      return tf.add(tf.mul(values, factor), tf.sub(vector(`${layer}.bias`), tf.mul(mean, factor)));
    });

  return {
    batchNorm: (input, layer) =>
      reading(input, (values) =>
        statistics.fixed === undefined
          ? normaliseWithOwn(values, layer)
          : normaliseWith(values, layer, statistics.fixed(layer)),
      ),
    convolution: (input, layer, window) =>
      reading(input, (values) =>
        tf.tidy(() => {
          const filter = stored.get(`${layer}.weight`) as Tensor4D;
          const result = tf.conv2d(values, filter, window.stride, pad(window), "NHWC", [1, 1], "floor");
          const bias = stored.get(`${layer}.bias`);
          return bias === undefined ? result : tf.add(result, bias);
        }),
      ),
    relu: (input) => reading(input, (values) => tf.relu(values)),
    maxPool: (input, window) =>
      reading(input, (values) => tf.maxPool(values, window.kernel, window.stride, pad(window), "floor")),
    averagePool: (input) => reading(input, (values) => tf.avgPool(values, 2, 2, 0, "floor")),
    // One input stays with whoever reads it next: the first layer of a block is not the only one.
    concat: (inputs) => (inputs.length === 1 ? { ...inputs[0]!, once: false } : fresh(tf.concat(inputs.map(maps), 3))),
    globalAveragePool: (input) => reading(input, (values) => tf.tidy(() => tf.mean(tf.mean(values, 2), 1))),
    appendPlates: ({ tensor }) => ({ tensor: tf.concat([tensor as Tensor2D, plate!], 1), once: false }),
    linear: ({ tensor }, layer) => ({
      tensor: tf.add(
        tf.matMul(tensor as Tensor2D, stored.get(`${layer}.weight`) as Tensor2D, false, true),
        vector(`${layer}.bias`),
      ),
      once: false,
    }),
  };
};
