/** The network as an ONNX graph for inference. */

import { statisticsCount } from "../../../common/norm-statistics.ts";
import { featureCount, type Network, normLayers, type Weights } from "../../network/architecture.ts";
import type { NetworkMode, PixelType, Precision } from "../runtime.ts";
import { blockedNetwork } from "./blocked.ts";
import { OnnxGraph, type Value } from "./graph.ts";
import type { NetworkParts } from "./network-parts.ts";
import { plainNetwork } from "./plain.ts";

/** `constant`: fixed statistics that are written into the graph, as an exporter does. */
export type GraphMode = NetworkMode | { readonly constant: Weights };

/** How a layer comes by fixed statistics: from constants, or cut out of the graph's inputs. */
const fixedStatistics = (
  graph: OnnxGraph,
  { architecture }: Network,
  mode: GraphMode,
): NetworkParts["fixed"] | undefined => {
  if (typeof mode === "object") {
    const constant = (key: string) => {
      const data = mode.constant.get(key)!;
      return graph.constant(key, data, [data.length]);
    };
    return (layer) => [constant(`${layer}.running_mean`), constant(`${layer}.running_var`)];
  }
  if (mode !== "fixed") return undefined;
  const layers = normLayers(architecture);
  const total = statisticsCount(layers);
  for (const what of ["mean", "variance"]) {
    graph.split(
      graph.input(what, "float32", [total]),
      layers.map(({ maps }) => maps),
      layers.map(({ name }) => `${name}.${what}`),
    );
  }
  return (layer) => [`${layer}.mean`, `${layer}.variance`];
};

/** How a provider wants the graph. */
export interface GraphFormat {
  /**
   * Channels that lie side by side in the CPU provider's own memory format (`OnnxSessions.block`). Above 1 the graph is
   * written in that format, which is much faster there, and is loaded with `unoptimized`. 1: portable ONNX.
   */
  readonly block?: number;
  /** In portable ONNX, convolutions read their channels filled up with zeros to a multiple of this power of two. */
  readonly channelMultiple?: number;
  /** In portable ONNX, of feature maps and filters; statistics, sums and outputs are float32. */
  readonly precision?: Precision;
  /** Written as the only height and width of images, those of the architecture; without it any size may come. */
  readonly fixedSize?: boolean;
  /** Further outputs, the same for every batch. */
  readonly constants?: Readonly<Record<string, Uint8Array>>;
}

/**
 * Writes the ONNX model.
 *
 * Inputs: `pixels` [N, C, H, W] of `pixelType`; `scale` and `offset` [N, C], float32; where the architecture has plates,
 * `plate` [N, plates], float32; with `fixed` also `mean` and `variance`, as `packStatistics` makes them: one graph serves
 * any domain. Outputs: as `NetworkMode` says. Batch, height and width may vary from run to run.
 */
export const emitNetwork = (
  network: Network,
  mode: GraphMode,
  pixelType: PixelType,
  { block = 1, channelMultiple = 1, precision = "float32", fixedSize = false, constants = {} }: GraphFormat = {},
): Uint8Array => {
  const { architecture } = network;
  const { channels, height, width, plates, classes } = architecture;
  const graph = new OnnxGraph(`densenet-${typeof mode === "object" ? "constant" : mode}`);
  const raw = graph.input("pixels", pixelType, ["N", channels, ...(fixedSize ? [height, width] : ["H", "W"])]);
  const fixed = fixedStatistics(graph, network, mode);
  const measured = new Map<string, readonly [mean: Value, variance: Value]>();
  const parts: NetworkParts = {
    ...network,
    graph,
    pixels: pixelType === "float32" ? raw : graph.node("Cast", [raw], { to: 1 }),
    scale: graph.input("scale", "float32", ["N", channels]),
    offset: graph.input("offset", "float32", ["N", channels]),
    ...(plates > 0 ? { plate: graph.input("plate", "float32", ["N", plates]) } : {}),
    ...(fixed === undefined ? {} : { fixed }),
    report: (layer, mean, variance) => measured.set(layer, [mean, variance]),
  };
  // The kernel that reads row-major pixels takes fewer channels than a block.
  const { features, logits } =
    channels < block ? blockedNetwork(parts, block) : plainNetwork(parts, { channelMultiple, precision });
  if (mode === "calibration") {
    const layers = normLayers(architecture);
    const all = layers.map(({ name }) => measured.get(name)!);
    ["mean", "variance"].forEach((name, what) => {
      const values = all.map((layer) => layer[what]!);
      graph.node("Concat", values, { axis: 0 }, name);
      graph.output(name, "float32", [statisticsCount(layers)]);
    });
  } else {
    graph.node("Identity", [features], {}, "features");
    graph.node("Identity", [logits], {}, "logits");
    graph.output("logits", "float32", ["N", classes]);
    graph.output("features", "float32", ["N", featureCount(architecture)]);
  }
  for (const [name, data] of Object.entries(constants)) constantOutput(graph, name, "uint8", data);
  return graph.encode();
};

/** Declares an output that is always `data`. */
export const constantOutput = (
  graph: OnnxGraph,
  name: string,
  type: "uint8" | "float32",
  data: Uint8Array | Float32Array,
): void => {
  graph.node("Identity", [graph.tensor(`${name}.value`, type, data, [data.length])], {}, name);
  graph.output(name, type, [data.length]);
};
