/** The values of a network under training, and the record of what has to happen backward. */
import type { OnnxGraph, Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { MapShape } from "./arithmetic.ts";
import type { Standardised, StandardisedGradient } from "./derivatives.ts";

/** Feature maps that stand in the graph. `gradient` is the sum of what their readers sent back so far. */
export interface Maps extends MapShape {
  readonly kind: "maps";
  readonly value: Value;
  /** Whether anything below has a parameter to learn. */
  readonly learns: boolean;
  gradient?: Value;
}

/** Maps side by side, not copied together until somebody needs them so. */
export interface Joined {
  readonly kind: "joined";
  readonly parts: readonly Maps[];
}

/** Maps minus their mean and the statistics beside them. */
export interface Standard extends MapShape {
  readonly values: Standardised;
  readonly learns: boolean;
  gradient?: StandardisedGradient;
}

/** A BatchNorm whose weight and bias are not applied yet, and the ReLU behind it, which is done in the same pass. */
export interface Normalised {
  readonly kind: "normalised";
  readonly standard: Standard;
  readonly layer: string;
  readonly rectify: boolean;
}

/** A 1x1 convolution not computed yet: an average pool that follows comes first, and leaves a quarter of the work. */
export interface Pointwise {
  readonly kind: "pointwise";
  readonly input: Maps;
  readonly layer: string;
}

/** [N, width], float32. */
export interface Rows {
  readonly kind: "rows";
  readonly value: Value;
  readonly width: number;
  readonly learns: boolean;
  gradient?: Value;
}

export type Signal = Maps | Joined | Normalised | Pointwise | Rows;

/** Adds what one reader sends back to what the others did. */
export const send = (graph: OnnxGraph, to: Maps | Rows, gradient: Value): void => {
  to.gradient = to.gradient === undefined ? gradient : graph.node("Add", [to.gradient, gradient]);
};

export const sendStandard = (graph: OnnxGraph, to: Standard, gradient: StandardisedGradient): void => {
  const before = to.gradient;
  to.gradient =
    before === undefined
      ? gradient
      : {
          maps: graph.node("Add", [before.maps, gradient.maps]),
          deviation: graph.node("Add", [before.deviation, gradient.deviation]),
        };
};

/** Steps backward are recorded on the way forward and run in reverse. */
export class Tape {
  readonly #steps: (() => void)[] = [];

  record(step: () => void): void {
    this.#steps.push(step);
  }

  rewind(): void {
    for (const step of this.#steps.reverse()) step();
  }
}
