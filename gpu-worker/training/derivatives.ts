/**
 * The operations of the network that are no convolutions, each with its derivative.
 *
 * Batch normalisation is split in two. `standardise` centres a map and measures its deviation, once for all layers that
 * read it; `scaleAndShift` applies one layer's weight and bias (and the ReLU) in one pass. A layer's part of the
 * backward pass through the deviation then needs one number per channel, which adds up over the layers.
 */
import { epsilon } from "../model/architecture.ts";
import type { Window } from "../model/densenet.ts";
import { elementTypes, type Value } from "../onnx/graph.ts";
import { type Arithmetic, affinePerChannel, depthwise, lower, meanPerChannel, raise, reshape } from "./arithmetic.ts";
import { windowAttributes } from "./convolution.ts";

export interface MapShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Maps minus their mean, with the statistics of the batch, all float32 [C] but the maps. */
export interface Standardised {
  readonly centred: Value;
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

export const standardise = (a: Arithmetic, maps: Value, { channels, height, width }: MapShape) => {
  const { graph } = a;
  const mean = meanPerChannel(a, maps, [height, width]);
  const centred = graph.node("Sub", [maps, lower(a, reshape(a, mean, channels, 1, 1, 1))]);
  const exact = raise(a, centred);
  const variance = meanPerChannel(a, product(a, exact, exact), [height, width]);
  const inverse = inverseDeviation(a, variance);
  const output: Standardised = { centred, mean, variance, inverse };
  return {
    output,
    inputGradient: ({ maps: direct, deviation }: StandardisedGradient): Value => {
      const weight = depthwise(a, graph.node("Neg", [product(a, inverse, inverse, deviation)]), channels);
      const nothing = graph.constant(`zeros_${channels}`, new Float32Array(channels), [channels]);
      return affinePerChannel(a, centred, [channels, height, width], weight, nothing, { plus: direct });
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
  { centred, inverse }: Standardised,
  { channels, height, width }: MapShape,
  weight: Value,
  bias: Value,
  rectify: boolean,
) => {
  const { graph } = a;
  const factor = product(a, weight, inverse);
  const factors = depthwise(a, factor, channels);
  const size = [channels, height, width] as const;
  const output = affinePerChannel(a, centred, size, factors, bias, { rectify });
  return {
    output,
    factor,
    backward: (gradient: Value) => {
      const passed = rectify ? product(a, gradient, positive(a, output)) : gradient;
      const byBias = meanPerChannel(a, passed, [height, width]);
      const byFactor = meanPerChannel(a, product(a, passed, centred), [height, width]);
      const count = graph.scalar(a.images * height * width);
      return {
        weight: () => product(a, byFactor, inverse, count),
        bias: () => product(a, byBias, count),
        /** Added to what other readers sent back. */
        input: (others?: StandardisedGradient): StandardisedGradient => {
          const mean = graph.node("Neg", [product(a, byBias, factor)]);
          const deviation = product(a, byFactor, factor);
          return {
            maps: affinePerChannel(a, passed, size, factors, mean, { plus: others?.maps }),
            deviation: others === undefined ? deviation : graph.node("Add", [others.deviation, deviation]),
          };
        },
      };
    },
  };
};

/** The gradient goes to the first of equal maxima, as in PyTorch. */
export const maxPool = (a: Arithmetic, maps: Value, window: Window, shape: MapShape) => {
  const { graph } = a;
  const size = a.images * shape.channels * shape.height * shape.width;
  const [output, indices] = graph.nodes("MaxPool", [maps], windowAttributes(window), [
    graph.fresh("MaxPool"),
    graph.fresh("at"),
  ]);
  return {
    output: output!,
    inputGradient: (gradient: Value): Value => {
      const nothing = graph.node("ConstantOfShape", [graph.ints(size)]);
      const flat = (value: Value) => reshape(a, value, -1);
      const scattered = graph.node("ScatterElements", [nothing, flat(indices!), flat(raise(a, gradient))], {
        axis: 0,
        reduction: "add",
      });
      return reshape(a, lower(a, scattered), 1, shape.channels, a.images, shape.height, shape.width);
    },
  };
};

/** 2x2, stride 2; an odd last row or column is not read. */
export const averagePool = (a: Arithmetic, maps: Value, { channels, height, width }: MapShape) => {
  const { graph } = a;
  return {
    output: graph.node("AveragePool", [maps], { kernel_shape: [1, 2, 2], strides: [1, 2, 2] }),
    inputGradient: (gradient: Value): Value => {
      const { images } = a;
      const quarter = product(a, gradient, lower(a, graph.scalar(0.25)));
      const [tall, wide] = [height >> 1, width >> 1];
      const scales = graph.constant("twice", Float32Array.of(1, 1, 2, 2), [4]);
      const doubled = graph.node("Resize", [reshape(a, quarter, 1, channels * images, tall, wide), "", scales], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      });
      const repeated = reshape(a, doubled, 1, channels, images, 2 * tall, 2 * wide);
      const odd = [height % 2, width % 2] as const;
      return odd[0] + odd[1] === 0
        ? repeated
        : graph.node("Pad", [repeated, graph.ints(0, 0, 0, 0, 0, 0, 0, 0, odd[0], odd[1])]);
    },
  };
};

/** Mean over the pixels: maps -> [N, C], float32. */
export const globalAveragePool = (a: Arithmetic, maps: Value, { channels, height, width }: MapShape) => {
  const { graph, images } = a;
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
