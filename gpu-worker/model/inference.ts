/** The network as an ONNX graph for inference: with fixed statistics, with the batch's own, or to estimate statistics. */
import { type Dimension, OnnxGraph, type Value } from "../onnx/graph.ts";
import { type Architecture, epsilon, featureCount, normLayers, parameters, type Weights } from "./architecture.ts";
import { blockedOperations } from "./blocked.ts";
import { densenet, type Operations, type Window } from "./densenet.ts";

export type StatisticsMode =
  /** Fixed statistics: `statistics` where given (`<layer>.running_mean`, `<layer>.running_var`), else the weights' own. */
  | { readonly kind: "constant"; readonly statistics?: Weights }
  /** Every layer normalises with the mean and the biased variance of the batch, as PyTorch in training mode. */
  | { readonly kind: "batch" }
  /** As `batch`, but gives per layer `<layer>.mean` and `<layer>.var` (unbiased) instead of predictions. */
  | { readonly kind: "estimate" };

export type PixelType = "uint8" | "uint16" | "float32";

const windowAttributes = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});

/**
 * Emits the ONNX model.
 *
 * Inputs: `pixels` [N, C, H, W] of `pixelType`; `scale` and `offset` [N, C], float32: the network reads
 * pixel * scale + offset; where the architecture has plates, `plate` [N, plates], float32, a one-hot.
 * Outputs: `logits` [N, classes] and `features` [N, F]; with `estimate` the statistics of every norm layer instead.
 * Batch, height and width may vary from run to run.
 */
export const emitNetwork = (
  architecture: Architecture,
  weights: Weights,
  mode: StatisticsMode,
  pixelType: PixelType,
  block = 0,
): Uint8Array => {
  if (block > architecture.channels) return emitBlocked(architecture, weights, mode, pixelType, block);
  const graph = new OnnxGraph(`densenet-${mode.kind}`);
  const shapes = new Map(parameters(architecture).map(({ name, shape }) => [name, shape]));
  const parameter = (name: string): Value => {
    const replaced = mode.kind === "constant" ? mode.statistics?.get(name) : undefined;
    return graph.constant(name, replaced ?? weights.get(name)!, shapes.get(name)!);
  };
  const images = (...rest: Dimension[]): Dimension[] => ["N", ...rest];
  const perChannel = (name: string): Value =>
    graph.node("Unsqueeze", [graph.input(name, "float32", images(architecture.channels)), graph.ints(2, 3)]);

  const raw = graph.input("pixels", pixelType, images(architecture.channels, "H", "W"));
  const pixels = pixelType === "float32" ? raw : graph.node("Cast", [raw], { to: 1 });
  const input = graph.node("Add", [graph.node("Mul", [pixels, perChannel("scale")]), perChannel("offset")]);
  const plate = architecture.plates > 0 ? graph.input("plate", "float32", images(architecture.plates)) : undefined;

  const operations: Operations<Value> = {
    batchNorm(maps, layer) {
      const read = (what: string) => parameter(`${layer}.${what}`);
      const inputs = [maps, read("weight"), read("bias"), read("running_mean"), read("running_var")];
      const attributes = { epsilon: { float: epsilon } };
      if (mode.kind === "constant") return graph.node("BatchNormalization", inputs, attributes);
      // Momentum 0: the "running" outputs are those of the batch alone.
      const [normalised, mean, variance] = graph.nodes(
        "BatchNormalization",
        inputs,
        { ...attributes, training_mode: 1, momentum: { float: 0 } },
        [graph.fresh("normalised"), `${layer}.mean`, graph.fresh("variance")],
      );
      void mean;
      if (mode.kind === "estimate") {
        const size = graph.node("Cast", [graph.node("Size", [maps])], { to: 1 });
        const channels = graph.scalar(shapes.get(`${layer}.weight`)![0]!);
        const count = graph.node("Div", [size, channels]);
        const unbias = graph.node("Div", [count, graph.node("Sub", [count, graph.scalar(1)])]);
        graph.node("Mul", [variance!, unbias], {}, `${layer}.var`);
      }
      return normalised!;
    },
    convolution(maps, layer, window) {
      const inputs = [maps, parameter(`${layer}.weight`)];
      if (weights.has(`${layer}.bias`)) inputs.push(parameter(`${layer}.bias`));
      return graph.node("Conv", inputs, windowAttributes(window));
    },
    relu: (maps) => graph.node("Relu", [maps]),
    maxPool: (maps, window) => graph.node("MaxPool", [maps], windowAttributes(window)),
    averagePool: (maps) => graph.node("AveragePool", [maps], windowAttributes({ kernel: 2, stride: 2, padding: 0 })),
    concat: (maps) => (maps.length === 1 ? maps[0]! : graph.node("Concat", maps, { axis: 1 })),
    globalAveragePool: (maps) =>
      graph.node("Flatten", [graph.node("GlobalAveragePool", [maps])], { axis: 1 }, "features"),
    appendPlates: (features) => graph.node("Concat", [features, plate!], { axis: 1 }),
    linear: (features, layer) =>
      mode.kind === "estimate"
        ? features
        : graph.node(
            "Gemm",
            [features, parameter(`${layer}.weight`), parameter(`${layer}.bias`)],
            { transB: 1 },
            "logits",
          ),
  };
  densenet(architecture, operations, input);

  if (mode.kind === "estimate") {
    for (const { name, maps } of normLayers(architecture)) {
      graph.output(`${name}.mean`, "float32", [maps]);
      graph.output(`${name}.var`, "float32", [maps]);
    }
  } else {
    graph.output("logits", "float32", images(architecture.classes));
    graph.output("features", "float32", images(featureCount(architecture)));
  }
  return graph.encode();
};

const emitBlocked = (
  architecture: Architecture,
  weights: Weights,
  mode: StatisticsMode,
  pixelType: PixelType,
  block: number,
): Uint8Array => {
  const graph = new OnnxGraph(`densenet-${mode.kind}`);
  const { channels, plates, classes } = architecture;
  const raw = graph.input("pixels", pixelType, ["N", channels, "H", "W"]);
  const scale = graph.input("scale", "float32", ["N", channels]);
  const offset = graph.input("offset", "float32", ["N", channels]);
  const plate = plates > 0 ? graph.input("plate", "float32", ["N", plates]) : undefined;
  const layers = normLayers(architecture);
  const total = layers.reduce((sum, { maps }) => sum + maps, 0);
  const all = (what: string): Value => {
    const packed = new Float32Array(total);
    let at = 0;
    for (const { name, maps } of layers) {
      const key = `${name}.${what}`;
      packed.set((mode.kind === "constant" ? mode.statistics?.get(key) : undefined) ?? weights.get(key)!, at);
      at += maps;
    }
    return graph.constant(what, packed, [total]);
  };
  const report = (layer: string, mean: Value, variance: Value) => {
    if (mode.kind !== "estimate") return;
    graph.node("Identity", [mean], {}, `${layer}.mean`);
    graph.node("Identity", [variance], {}, `${layer}.var`);
  };
  const statistics =
    mode.kind === "constant"
      ? ({ kind: "given", mean: all("running_mean"), variance: all("running_var") } as const)
      : ({ kind: "batch" } as const);
  const operations = blockedOperations(graph, {
    architecture,
    weights,
    block,
    scale,
    offset,
    plate,
    statistics,
    report,
  });
  const pixels = pixelType === "float32" ? raw : graph.node("Cast", [raw], { to: 1 });
  const { features, logits } = densenet(architecture, operations, { kind: "pixels", value: pixels });
  if (mode.kind === "estimate") {
    for (const { name, maps } of layers) {
      graph.output(`${name}.mean`, "float32", [maps]);
      graph.output(`${name}.var`, "float32", [maps]);
    }
  } else {
    graph.node("Identity", [(features as { value: Value }).value], {}, "features");
    graph.node("Identity", [(logits as { value: Value }).value], {}, "logits");
    graph.output("logits", "float32", ["N", classes]);
    graph.output("features", "float32", ["N", featureCount(architecture)]);
  }
  return graph.encode();
};
