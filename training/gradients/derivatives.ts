/**
 * The operations of the network that are not convolutions, each with its derivative.
 *
 * Batch normalisation is split in two. `standardise` centres a map and measures its deviation, once for all layers that
 * read it; `scaleAndShift` applies one layer's weight and bias (and the ReLU) in one pass. A layer's part of the
 * backward pass through the deviation then needs one number per channel, which adds up over the layers.
 */
import { epsilon } from "../../gpu-worker/network/architecture.ts";
import { elementTypes, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, lower, type MapShape, overMaps, raise, reshape } from "./arithmetic.ts";
import { blockedDoubled, blockedHalved, blockedMeans, compact, spread } from "./blocked-maps.ts";
import { affinePerChannel, depthwise, meanPerChannel, meanProductPerChannel } from "./per-channel.ts";

/** Maps with the statistics of the batch, all float32 [C] but the maps. */
export interface Standardised {
  readonly maps: Value;
  /** The mean, where it is still to be subtracted from `maps`; absent: they are centred. */
  readonly shift?: Value | undefined;
  readonly mean: Value;
  /** Biased: divided by the number of values. */
  readonly variance: Value;
  /** 1 / sqrt(variance + epsilon) */
  readonly inverse: Value;
}

/** What the readers of standardised maps send back; both add up over the readers. */
export interface StandardisedGradient {
  /** Gradient of the centred maps as if the deviation were a constant; its mean per channel is zero. */
  readonly maps: Value;
  /** Mean of the gradient times the centred maps: float32 [C]. */
  readonly deviation: Value;
}

const product = ({ graph }: Arithmetic, ...values: readonly [Value, ...Value[]]): Value =>
  values.reduce((left, right) => graph.node("Mul", [left, right]));

export const inverseDeviation = ({ graph }: Arithmetic, variance: Value): Value =>
  graph.node("Reciprocal", [graph.node("Sqrt", [graph.node("Add", [variance, graph.scalar(epsilon)])])]);

/**
 * The variance of blocked maps is the mean square less the squared mean, so that they are read only. Measured relative
 * error: 1e-5 where the mean of a map is 6 times its deviation; convolutions of normalised maps stay below that.
 */
const moments = (a: Arithmetic, maps: Value, shape: MapShape): Omit<Standardised, "inverse"> => {
  const { graph } = a;
  const mean = meanPerChannel(a, maps, shape);
  if (shape.slots !== undefined) {
    const square = meanProductPerChannel(a, maps, maps, shape);
    const variance = graph.node("Max", [graph.node("Sub", [square, product(a, mean, mean)]), graph.scalar(0)]);
    return { maps, shift: mean, mean, variance };
  }
  const centred = graph.node("Sub", [maps, lower(a, overMaps(a, mean, shape))]);
  const exact = raise(a, centred);
  return { maps: centred, mean, variance: meanProductPerChannel(a, exact, exact, shape) };
};

/** bias - factor * shift: what is added to factor * maps where they are not centred. */
const unshifted = ({ graph }: Arithmetic, bias: Value, factor: Value, shift: Value | undefined): Value =>
  shift === undefined ? bias : graph.node("Sub", [bias, graph.node("Mul", [factor, shift])]);

export const standardise = (a: Arithmetic, maps: Value, shape: MapShape) => {
  const { graph } = a;
  const { channels } = shape;
  const measured = moments(a, maps, shape);
  const inverse = inverseDeviation(a, measured.variance);
  const output: Standardised = { ...measured, inverse };
  return {
    output,
    inputGradient: ({ maps: direct, deviation }: StandardisedGradient): Value => {
      const weight = graph.node("Neg", [product(a, inverse, inverse, deviation)]);
      const nothing = graph.constant(`zeros_${channels}`, new Float32Array(channels), [channels]);
      const bias = unshifted(a, nothing, weight, output.shift);
      return affinePerChannel(a, output.maps, shape, depthwise(a, weight, channels), bias, { plus: direct });
    },
  };
};

/** 1 where an output of ReLU is positive, else 0. */
const positive = ({ graph, precision }: Arithmetic, maps: Value): Value =>
  precision === "float32"
    ? graph.node("HardSigmoid", [maps], { alpha: { float: 1e30 }, beta: { float: 0 } }) // a seventh of Sign's time
    : graph.node("Cast", [graph.node("Greater", [maps, lowerZero(graph)])], { to: elementTypes.float16 });

const lowerZero = (graph: Arithmetic["graph"]): Value => graph.tensor("half_zero", "float16", new Uint16Array(1), []);

/** weight * standardised maps + bias, then ReLU where `rectify`; `weight` and `bias` are float32 [C]. */
export const scaleAndShift = (
  a: Arithmetic,
  { maps, shift, inverse }: Standardised,
  shape: MapShape,
  weight: Value,
  bias: Value,
  rectify: boolean,
) => {
  const { graph } = a;
  const factor = product(a, weight, inverse);
  const factors = depthwise(a, factor, shape.channels);
  const output = affinePerChannel(a, maps, shape, factors, unshifted(a, bias, factor, shift), { rectify });
  return {
    output,
    factor,
    backward: (gradient: Value) => {
      const passed = rectify ? product(a, gradient, positive(a, output)) : gradient;
      const byBias = meanPerChannel(a, passed, shape);
      const byFactor = unshifted(a, meanProductPerChannel(a, passed, maps, shape), byBias, shift);
      const count = graph.scalar(a.images * shape.height * shape.width);
      return {
        weight: () => product(a, byFactor, inverse, count),
        bias: () => product(a, byBias, count),
        /** Added to what other readers sent back. */
        input: (others?: StandardisedGradient): StandardisedGradient => {
          const mean = graph.node("Neg", [product(a, byBias, factor)]);
          const deviation = product(a, byFactor, factor);
          return {
            maps: affinePerChannel(a, passed, shape, factors, mean, { plus: others?.maps }),
            deviation: others === undefined ? deviation : graph.node("Add", [others.deviation, deviation]),
          };
        },
      };
    },
  };
};

export const rectify = (a: Arithmetic, maps: Value) => {
  const output = a.graph.node("Relu", [maps]);
  return { output, inputGradient: (gradient: Value): Value => product(a, gradient, positive(a, output)) };
};

/** 2x2, stride 2; an odd last row or column is not read. */
export const averagePool = (a: Arithmetic, maps: Value, { channels, height, width, slots }: MapShape) => {
  const { graph, images } = a;
  const odd = [height % 2, width % 2] as const;
  return {
    output:
      slots === undefined
        ? graph.node("AveragePool", [maps], { kernel_shape: [1, 2, 2], strides: [1, 2, 2] })
        : blockedHalved(a, maps),
    inputGradient: (gradient: Value): Value => {
      const quarter = product(a, gradient, lower(a, graph.scalar(0.25)));
      const [tall, wide] = [height >> 1, width >> 1];
      if (slots !== undefined) {
        const whole = blockedDoubled(a, quarter);
        if (odd[0] + odd[1] === 0) return whole;
        const groups = reshape(a, whole, images, channels / a.block, 2 * tall, 2 * wide, a.block);
        const padded = graph.node("Pad", [groups, graph.ints(0, 0, 0, 0, 0, 0, 0, ...odd, 0)]);
        return reshape(a, padded, images, channels, height, width);
      }
      const scales = graph.constant("twice", Float32Array.of(1, 1, 2, 2), [4]);
      const doubled = graph.node("Resize", [reshape(a, quarter, 1, channels * images, tall, wide), "", scales], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      });
      const repeated = reshape(a, doubled, 1, channels, images, 2 * tall, 2 * wide);
      return odd[0] + odd[1] === 0
        ? repeated
        : graph.node("Pad", [repeated, graph.ints(0, 0, 0, 0, 0, 0, 0, 0, odd[0], odd[1])]);
    },
  };
};

/** Mean over the pixels: maps -> [N, C], float32. */
export const globalAveragePool = (a: Arithmetic, maps: Value, shape: MapShape) => {
  const { graph, images } = a;
  const { channels, height, width, slots } = shape;
  if (slots !== undefined)
    return {
      output: compact(a, reshape(a, blockedMeans(a, maps), images, channels), slots, 1),
      inputGradient: (gradient: Value): Value => {
        const share = spread(a, product(a, gradient, graph.scalar(1 / (height * width))), slots, 2, 1);
        const groups = channels / a.block;
        const wide = reshape(a, share, images, groups, 1, a.block);
        const all = graph.node("Expand", [wide, graph.ints(images, groups, height * width, a.block)]);
        return reshape(a, all, images, channels, height, width);
      },
    };
  const means = graph.node("ReduceMean", [raise(a, maps)], { axes: [0, 3, 4], keepdims: 0 });
  const transposed = (value: Value) => graph.node("Transpose", [value], { perm: [1, 0] });
  return {
    output: transposed(means),
    inputGradient: (gradient: Value): Value => {
      const share = product(a, transposed(gradient), graph.scalar(1 / (height * width)));
      const spread = reshape(a, lower(a, share), 1, channels, images, 1, 1);
      return graph.node("Expand", [spread, graph.ints(1, channels, images, height, width)]);
    },
  };
};

/** rows [N, F] times weight [K, F] transposed plus bias [K], all float32. */
export const linear = (a: Arithmetic, rows: Value, weight: Value, bias: Value) => {
  const { graph } = a;
  return {
    output: graph.node("Gemm", [rows, weight, bias], { transB: 1 }),
    inputGradient: (gradient: Value): Value => graph.node("MatMul", [gradient, weight]),
    weightGradient: (gradient: Value): Value => graph.node("Gemm", [gradient, rows], { transA: 1 }),
    biasGradient: (gradient: Value): Value => graph.node("ReduceSum", [gradient, graph.ints(0)], { keepdims: 0 }),
  };
};

/** Rows divided by their length: [N, F], float32. */
const normalisedRows = (a: Arithmetic, rows: Value) => {
  const { graph } = a;
  const length = graph.node("ReduceL2", [rows], { axes: [1], keepdims: 1 });
  const safe = graph.node("Max", [length, graph.scalar(1e-12)]);
  const output = graph.node("Div", [rows, safe]);
  return {
    output,
    inputGradient: (gradient: Value): Value => {
      const along = graph.node("ReduceSum", [product(a, gradient, output), graph.ints(1)], { keepdims: 1 });
      return graph.node("Div", [graph.node("Sub", [gradient, product(a, output, along)]), safe]);
    },
  };
};

/** scale times the cosines between rows [N, F] and the rows of weight [K, F]. */
export const cosines = (a: Arithmetic, rows: Value, weight: Value, scale: number) => {
  const { graph } = a;
  const [unitRows, unitWeight] = [normalisedRows(a, rows), normalisedRows(a, weight)];
  const scaled = (gradient: Value) => product(a, gradient, graph.scalar(scale));
  return {
    output: scaled(graph.node("Gemm", [unitRows.output, unitWeight.output], { transB: 1 })),
    inputGradient: (gradient: Value): Value =>
      unitRows.inputGradient(graph.node("MatMul", [scaled(gradient), unitWeight.output])),
    weightGradient: (gradient: Value): Value =>
      unitWeight.inputGradient(graph.node("Gemm", [scaled(gradient), unitRows.output], { transA: 1 })),
    /** Cosines have no bias. */
    biasGradient: (gradient: Value): Value =>
      product(a, graph.node("ReduceSum", [gradient, graph.ints(0)], { keepdims: 0 }), graph.scalar(0)),
  };
};
