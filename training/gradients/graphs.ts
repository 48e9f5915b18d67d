/**
 * The three graphs of training, from the network's one description: `train` computes loss, gradients and statistics,
 * `measure` statistics alone, `predict` logits under given statistics. In all of them the weights are inputs, so that
 * they may change without a new session.
 */
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import { densenet, type Operations } from "../../gpu-worker/network/densenet.ts";
import { OnnxGraph, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type FlatIndex, flatIndex, type Slot } from "../learner/flat.ts";
import { type Arithmetic, lower, raise, reshape } from "./arithmetic.ts";
import { cosines, inverseDeviation } from "./derivatives.ts";
import { type ParameterInput, type PixelType, parameterInput, pixelInput, pixelMaps } from "./inputs.ts";
import { cosineScaleOf, type Loss, lossNodes } from "./losses.ts";
import { type BatchStatistics, trainingOperations } from "./operations.ts";
import { type Maps, type Signal, send, Tape } from "./tape.ts";

export interface GraphOptions {
  readonly architecture: Architecture;
  /** Images of a batch, fixed. */
  readonly images: number;
  /** Type of the pixels; uint8 where nothing is said. */
  readonly pixels?: PixelType;
  readonly precision: "float32" | "float16";
  readonly loss: Loss;
  /** What trains and measures is written in the memory format of `OnnxSessions.block` (see `usableBlock`) where this is above 1. */
  readonly block?: number;
  /** As in `Arithmetic`. */
  readonly poolIndices?: boolean;
}

export interface TrainingGraph {
  /** The ONNX model. */
  readonly model: Uint8Array;
  /** What `gradient` holds, one after the other. */
  readonly learning: readonly Slot[];
}

const plateInput = ({ graph, images }: Arithmetic, width: number) => ({
  value: graph.input("plate", "float32", [images, width]),
  width,
});

/** Outputs `means` and `variances`, the latter unbiased, in the index's order. */
const statisticsOutputs = (a: Arithmetic, index: FlatIndex, measured: ReadonlyMap<string, BatchStatistics>) => {
  const { graph } = a;
  const all = index.norms.map(({ name }) => measured.get(name)!);
  const unbias = Float32Array.from(
    index.norms.flatMap(({ length }, i) => new Array(length).fill(all[i]!.count / Math.max(all[i]!.count - 1, 1))),
  );
  const biased = graph.node(
    "Concat",
    all.map(({ variance }) => variance),
    { axis: 0 },
  );
  graph.node(
    "Concat",
    all.map(({ mean }) => mean),
    { axis: 0 },
    "means",
  );
  graph.node("Mul", [biased, graph.constant("unbias", unbias, [index.normLength])], {}, "variances");
  graph.output("means", "float32", [index.normLength]);
  graph.output("variances", "float32", [index.normLength]);
};

/** The runtime's block where the graph can use it: in float32, and where the pixels have fewer channels than a block. */
export const usableBlock = ({ architecture, precision }: GraphOptions, block: number): number =>
  precision === "float32" && architecture.channels < block ? block : 1;

const walk = (
  a: Arithmetic,
  options: GraphOptions,
  index: FlatIndex,
  tape: Tape,
  learns: (name: string) => boolean,
  plates: () => { value: Value; width: number } = () => plateInput(a, options.architecture.plates),
) => {
  const { architecture, loss } = options;
  const gradients = new Map<string, Value>();
  const measured = new Map<string, BatchStatistics>();
  const operations = trainingOperations({
    arithmetic: a,
    parameters: parameterInput(a, index),
    tape,
    learns,
    learnt: (name, gradient) => gradients.set(name, gradient),
    measured: (layer, statistics) => measured.set(layer, statistics),
    plates,
    cosineScale: cosineScaleOf(loss),
  });
  const { channels, height, width } = architecture;
  const value = pixelMaps(a, architecture, options.pixels);
  const pixels: Maps = { kind: "maps", value, channels, height, width, apart: a.block > 1, learns: false };
  const { logits } = densenet<Signal>(architecture, operations, pixels);
  return { logits, gradients, measured };
};

/**
 * Inputs: those of `pixelInput`, `weights`, `target` [N, K], `loss_scale` [] and, where the network reads plates,
 * `plate` [N, plates] one-hot. Outputs: `loss` [], `logits` [N, K], `gradient` (of `learning`, times the loss scale),
 * `means` and `variances` (unbiased) of all BatchNorm layers. Nothing is computed for parameters that do not learn,
 * nor below the lowest one that does.
 */
export const trainingGraph = (options: GraphOptions, learns: (name: string) => boolean): TrainingGraph => {
  const { architecture, images, precision, loss, block = 1, poolIndices } = options;
  const { classes } = architecture;
  const graph = new OnnxGraph("train");
  const a: Arithmetic = { graph, precision, images, block, poolIndices };
  const index = flatIndex(architecture);
  const tape = new Tape();
  const { logits, gradients, measured } = walk(a, options, index, tape, learns);
  if (logits.kind !== "rows") throw new Error("logits are rows");

  const target = graph.input("target", "float32", [images, classes]);
  const scale = graph.input("loss_scale", "float32", []);
  const nodes = lossNodes(a, logits.value, target, classes, loss);
  send(graph, logits, graph.node("Mul", [nodes.gradient, scale]));
  tape.rewind();

  const learning = index.slots.filter(({ name }) => learns(name));
  const flat = learning.map(({ name, shape }) => {
    const gradient = gradients.get(name)!;
    return shape.length === 1 ? gradient : reshape(a, gradient, -1);
  });
  graph.node("Concat", flat, { axis: 0 }, "gradient");
  graph.output("gradient", "float32", [learning.reduce((sum, { length }) => sum + length, 0)]);
  graph.node("Identity", [nodes.loss], {}, "loss");
  graph.output("loss", "float32", []);
  graph.node("Identity", [logits.value], {}, "logits");
  graph.output("logits", "float32", [images, classes]);
  statisticsOutputs(a, index, measured);
  return { model: graph.encode(), learning };
};

/** Outputs `means` and `variances` (unbiased) of a batch. */
export const measuringGraph = (options: GraphOptions): Uint8Array => {
  const { architecture, images, precision, block = 1, poolIndices } = options;
  const graph = new OnnxGraph("measure");
  const a: Arithmetic = { graph, precision, images, block, poolIndices };
  const index = flatIndex(architecture);
  const width = architecture.plates;
  const unread = () => ({ width, value: graph.constant("plates", new Float32Array(images * width), [images, width]) });
  const { measured } = walk(a, options, index, new Tape(), () => false, unread);
  statisticsOutputs(a, index, measured);
  return graph.encode();
};

/** BatchNorm with the inputs `means` and `variances`. */
const predictingOperations = (
  a: Arithmetic,
  { architecture, loss }: GraphOptions,
  index: FlatIndex,
  parameters: ParameterInput,
): Operations<Value> => {
  const { graph } = a;
  const statistic = (name: string) => {
    const pieces = index.norms.map((norm) => `${name}:${norm.name}`);
    graph.split(
      graph.input(name, "float32", [index.normLength]),
      index.norms.map(({ length }) => length),
      pieces,
    );
    return (layer: string): Value => `${name}:${layer}`;
  };
  const [means, variances] = [statistic("means"), statistic("variances")];
  return {
    batchNorm(input, layer) {
      const channels = index.norms.find(({ name }) => name === layer)!.length;
      const weight = graph.node("Mul", [parameters.exact(`${layer}.weight`), inverseDeviation(a, variances(layer))]);
      const shift = graph.node("Mul", [weight, means(layer)]);
      const bias = graph.node("Sub", [parameters.exact(`${layer}.bias`), shift]);
      const factors = lower(a, reshape(a, weight, channels, 1, 1, 1));
      return graph.node("Conv", [input, factors, lower(a, bias)], { group: channels });
    },
    convolution: (input, layer, { kernel, stride, padding }) =>
      graph.node(
        "Conv",
        [
          input,
          parameters.lowered(`${layer}.weight`),
          ...(layer === "features.conv0" ? [parameters.lowered(`${layer}.bias`)] : []),
        ],
        {
          kernel_shape: [kernel, kernel],
          strides: [stride, stride],
          pads: [padding, padding, padding, padding],
        },
      ),
    relu: (input) => graph.node("Relu", [input]),
    maxPool: (input, { kernel, stride, padding }) =>
      graph.node("MaxPool", [input], {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
      }),
    averagePool: (input) => graph.node("AveragePool", [input], { kernel_shape: [2, 2], strides: [2, 2] }),
    concat: (inputs) => (inputs.length === 1 ? inputs[0]! : graph.node("Concat", inputs, { axis: 1 })),
    globalAveragePool: (input) => graph.node("ReduceMean", [raise(a, input)], { axes: [2, 3], keepdims: 0 }),
    appendPlates: (features) => graph.node("Concat", [features, plateInput(a, architecture.plates).value], { axis: 1 }),
    linear(input, layer) {
      const weight = parameters.exact(`${layer}.weight`);
      const scale = cosineScaleOf(loss);
      return scale !== undefined
        ? cosines(a, input, weight, scale).output
        : graph.node("Gemm", [input, weight, parameters.exact(`${layer}.bias`)], { transB: 1 });
    },
  };
};

/** Inputs `means` and `variances` beside those of the others; outputs `logits` [N, K] and `features` [N, F]. */
export const predictingGraph = (options: GraphOptions): Uint8Array => {
  const { architecture, images, precision } = options;
  const graph = new OnnxGraph("predict");
  const a: Arithmetic = { graph, precision, images, block: 1 };
  const index = flatIndex(architecture);
  const operations = predictingOperations(a, options, index, parameterInput(a, index));
  const { features, logits } = densenet(architecture, operations, pixelInput(a, architecture, options.pixels));
  graph.node("Identity", [logits], {}, "logits");
  graph.node("Identity", [features], {}, "features");
  graph.output("logits", "float32", [images, architecture.classes]);
  graph.output("features", "float32", ["images", "features"]);
  return graph.encode();
};
