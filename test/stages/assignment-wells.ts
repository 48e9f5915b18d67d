/** Wells as `aggregate-sites` gives them, made by hand: eight treatments in two groups, a..d and e..h, and a control. */

import type { ModelInfo } from "../../common/model-info.ts";
import type { Call, WellPrediction } from "../../pipeline/stage/items.ts";
import { plateAssign } from "../../stages/plate-assign.ts";
import { freeModel } from "../../testing/free-workers.ts";
import { contextFor, runStage } from "../kit/context.ts";

export const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };

export const model: ModelInfo = {
  ...freeModel("HUVEC", 9, 8),
  classes: ["a", "b", "c", "d", "e", "f", "g", "h", "EMPTY"],
  controls: [8],
  plateGroups: [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ],
};

/** A well that gives some classes the probabilities named, and all others 0.1. */
export const well = (
  plate: string,
  name: string,
  named: Readonly<Record<string, number>>,
  more: Partial<WellPrediction> = {},
): WellPrediction => ({
  experiment: "HUVEC-01",
  plate,
  well: name,
  wellType: "treatment",
  probabilities: Float32Array.from(model.classes, (treatment) => named[treatment] ?? 0.1),
  features: new Float32Array(1),
  sites: [1, 2],
  rounds: 1,
  model,
  statistics: "batch",
  metadata: {},
  ...more,
});

/** Plate 1 holds e..h, plate 2 holds a..d. B03 of plate 2 looks like a; d and h look like each other. */
export const wells: readonly WellPrediction[] = [
  well("1", "B02", { e: 0.9, EMPTY: 0.99 }),
  well("1", "B03", { f: 0.9 }),
  well("1", "B04", { g: 0.9 }),
  well("1", "B05", { d: 0.6, h: 0.5 }),
  well("2", "B02", { a: 0.9 }),
  well("2", "B03", { a: 0.85, b: 0.8 }),
  well("2", "B04", { c: 0.9 }),
  well("2", "B05", { h: 0.6, d: 0.5 }),
];

export const call = async (options: Record<string, unknown>, items: readonly WellPrediction[]) => {
  const { context, notes } = contextFor(experiment);
  return { calls: await runStage<"call">(plateAssign, options, items, context), notes };
};

export const called = (calls: readonly Call[]): string => calls.map(({ treatment }) => treatment).join("");
