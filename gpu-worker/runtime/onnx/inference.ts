/** The network as an ONNX graph for inference: with fixed statistics, with the batch's own, or to estimate statistics. */

import { type Architecture, featureCount, normLayers, type Weights } from "../../network/architecture.ts";
import { blockedNetwork } from "./blocked.ts";
import { OnnxGraph, type Value } from "./graph.ts";
import { plainNetwork } from "./plain.ts";

export type StatisticsMode =
  /** Fixed in the graph: `statistics` where given (`<layer>.running_mean`, `<layer>.running_var`), else the weights' own. */
  | { readonly kind: "constant"; readonly statistics?: Weights }
  /** Fixed for a run: two more inputs, `mean` and `variance`, as `packStatistics` makes them. One graph serves any domain. */
  | { readonly kind: "given" }
  /** Every layer normalises with the mean and the biased variance of the batch, as PyTorch in training mode. */
  | { readonly kind: "batch" }
  /** As `batch`, but gives per layer `<layer>.mean` and `<layer>.var` (unbiased) instead of predictions. */
  | { readonly kind: "estimate" };

export type PixelType = "uint8" | "uint16" | "float32";

/** What the ways to write the network down have in common. */
export interface NetworkParts {
  readonly graph: OnnxGraph;
  readonly architecture: Architecture;
  readonly weights: Weights;
  /** Pixels as they come, but float32: [N, C, H, W]. */
  readonly pixels: Value;
  /** [N, C]: the network reads pixels * scale + offset. */
  readonly scale: Value;
  readonly offset: Value;
  /** The plate one-hot [N, plates], where the architecture has one. */
  readonly plate?: Value;
  /** Mean and variance [maps] that a layer normalises with; undefined: the batch's own. */
  readonly fixed?: (layer: string) => readonly [mean: Value, variance: Value];
  /** Is told what a layer normalised with, where that is the batch's own. */
  report(layer: string, mean: Value, unbiasedVariance: Value): void;
}

const statisticsCount = (architecture: Architecture): number =>
  normLayers(architecture).reduce((sum, { maps }) => sum + maps, 0);

/** Means and variances of all layers in the order of `normLayers`: the inputs `mean` and `variance` of mode "given". */
export const packStatistics = (
  architecture: Architecture,
  statistics: Weights,
): { mean: Float32Array; variance: Float32Array } => {
  const pack = (what: string): Float32Array => {
    const packed = new Float32Array(statisticsCount(architecture));
    let first = 0;
    for (const { name, maps } of normLayers(architecture)) {
      packed.set(statistics.get(`${name}.${what}`)!, first);
      first += maps;
    }
    return packed;
  };
  return { mean: pack("running_mean"), variance: pack("running_var") };
};

/** How a layer comes by fixed statistics: from constants, or cut out of the graph's inputs. */
const fixedStatistics = (
  graph: OnnxGraph,
  architecture: Architecture,
  weights: Weights,
  mode: StatisticsMode,
): NetworkParts["fixed"] => {
  const layers = normLayers(architecture);
  if (mode.kind === "constant") {
    const constant = (key: string) => {
      const data = mode.statistics?.get(key) ?? weights.get(key)!;
      return graph.constant(key, data, [data.length]);
    };
    return (layer) => [constant(`${layer}.running_mean`), constant(`${layer}.running_var`)];
  }
  if (mode.kind !== "given") return undefined;
  const total = statisticsCount(architecture);
  const sizes = graph.ints(...layers.map(({ maps }) => maps));
  for (const what of ["mean", "variance"]) {
    const names = layers.map(({ name }) => `${name}.${what}`);
    graph.nodes("Split", [graph.input(what, "float32", [total]), sizes], { axis: 0 }, names);
  }
  return (layer) => [`${layer}.mean`, `${layer}.variance`];
};

/**
 * Emits the ONNX model.
 *
 * Inputs: `pixels` [N, C, H, W] of `pixelType`; `scale` and `offset` [N, C], float32: the network reads
 * pixel * scale + offset; where the architecture has plates, `plate` [N, plates], float32, a one-hot.
 * Outputs: `logits` [N, classes] and `features` [N, F]; with `estimate` the statistics of every norm layer instead.
 * Batch, height and width may vary from run to run.
 *
 * `block` is `Runtime.block()`: above 1 the graph is written in that runtime's own memory layout, which is much faster
 * there, and must be loaded with `optimized`. 1: portable ONNX.
 */
export const emitNetwork = (
  architecture: Architecture,
  weights: Weights,
  mode: StatisticsMode,
  pixelType: PixelType,
  block = 1,
): Uint8Array => {
  const { channels, plates, classes } = architecture;
  const graph = new OnnxGraph(`densenet-${mode.kind}`);
  const raw = graph.input("pixels", pixelType, ["N", channels, "H", "W"]);
  const fixed = fixedStatistics(graph, architecture, weights, mode);
  const parts: NetworkParts = {
    graph,
    architecture,
    weights,
    pixels: pixelType === "float32" ? raw : graph.node("Cast", [raw], { to: 1 }),
    scale: graph.input("scale", "float32", ["N", channels]),
    offset: graph.input("offset", "float32", ["N", channels]),
    ...(plates > 0 ? { plate: graph.input("plate", "float32", ["N", plates]) } : {}),
    ...(fixed === undefined ? {} : { fixed }),
    report(layer, mean, variance) {
      if (mode.kind !== "estimate") return;
      graph.node("Identity", [mean], {}, `${layer}.mean`);
      graph.node("Identity", [variance], {}, `${layer}.var`);
    },
  };
  // The kernel that reads row-major pixels takes fewer channels than a block.
  const { features, logits } = channels < block ? blockedNetwork(parts, block) : plainNetwork(parts);
  if (mode.kind === "estimate") {
    for (const { name, maps } of normLayers(architecture)) {
      graph.output(`${name}.mean`, "float32", [maps]);
      graph.output(`${name}.var`, "float32", [maps]);
    }
  } else {
    graph.node("Identity", [features], {}, "features");
    graph.node("Identity", [logits], {}, "logits");
    graph.output("logits", "float32", ["N", classes]);
    graph.output("features", "float32", ["N", featureCount(architecture)]);
  }
  return graph.encode();
};
