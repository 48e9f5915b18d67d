/** What the two ways to write the network as a graph (`plain.ts`, `blocked.ts`) have in common. */
import type { Network } from "../../network/architecture.ts";
import type { OnnxGraph, Value } from "./graph.ts";

export interface NetworkParts extends Network {
  readonly graph: OnnxGraph;
  /** Pixels as they come, but float32: [N, C, H, W]. */
  readonly pixels: Value;
  /** [N, C]: the network reads pixels * scale + offset. */
  readonly scale: Value;
  readonly offset: Value;
  /** The plate one-hot [N, plates], where the architecture has one. */
  readonly plate?: Value;
  /** Mean and variance [maps] that a layer normalises with; undefined: the batch's own. */
  readonly fixed?: (layer: string) => readonly [mean: Value, variance: Value];
  /** Gets the statistics that a layer normalised with, where that is the batch's own. */
  report(layer: string, mean: Value, unbiasedVariance: Value): void;
}
