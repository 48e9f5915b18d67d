/** Whether confidence means what it says: reliability, and how many calls are left when only sure ones are wanted. */

import { evidence } from "../common/assignment/assign.ts";
import { balance } from "../common/assignment/balance.ts";
import {
  type ConfidenceFit,
  calibrationError,
  fitConfidence,
  type ReliabilityBin,
  reliability,
  type Trial,
} from "../common/assignment/confidence.ts";
import { addUp, noReplicates, replicateSets } from "../common/assignment/replicates.ts";
import type { Call } from "../pipeline/stage/items.ts";

/** A call of a treatment well whose truth is known. */
export interface Judged {
  readonly confidence: number;
  readonly right: boolean;
}

export interface Belief {
  readonly wells: number;
  /** Expected calibration error. */
  readonly ece: number;
  readonly bins: readonly ReliabilityBin[];
  readonly coverage: readonly Coverage[];
}

/** What is left of the wells where calls less certain than this are left open. */
export interface Coverage {
  readonly minConfidence: number;
  /** Of all wells. */
  readonly called: number;
  /** Right ones among those called. */
  readonly precision: number;
}

const thresholds = [0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999];

export const judge = (calls: readonly Call[]): Judged[] =>
  treatments(calls).flatMap(({ confidence, treatment, prediction }) =>
    confidence === undefined ? [] : [{ confidence, right: treatment === prediction.treatment }],
  );

const treatments = (calls: readonly Call[]): Call[] =>
  calls.filter(({ prediction }) => prediction.wellType === "treatment" && prediction.treatment !== undefined);

export const beliefOf = (calls: readonly Judged[]): Belief => {
  const bins = reliability(calls);
  const coverage = thresholds.map((minConfidence) => {
    const kept = calls.filter(({ confidence }) => confidence >= minConfidence);
    return {
      minConfidence,
      called: kept.length / calls.length,
      precision: kept.filter(({ right }) => right).length / kept.length,
    };
  });
  return { wells: calls.length, ece: calibrationError(bins), bins, coverage };
};

/** The largest share of wells whose calls are right at least as often as `precision`, most certain calls first. */
export const coverageAt = (calls: readonly Judged[], precision: number): number => {
  const ranked = calls.toSorted((a, b) => b.confidence - a.confidence);
  let [right, best] = [0, 0];
  for (const [at, call] of ranked.entries()) {
    right += Number(call.right);
    if (right >= precision * (at + 1)) best = at + 1;
  }
  return best / Math.max(calls.length, 1);
};

/** What makes confidence of these experiments' calls, one list of calls for each, mean what it says. */
export const fitToCalls = (experiments: readonly (readonly Call[])[]): ConfidenceFit =>
  fitConfidence(experiments.flatMap((calls) => trialOf(treatments(calls))));

const trialOf = (calls: readonly Call[]): Trial[] => {
  const [first] = calls;
  if (first === undefined) return [];
  const { model } = first.prediction;
  const controls = new Set(model.controls);
  const grouped = new Set(model.plateGroups.flat());
  const classes = [...model.classes.keys()].filter((k) => !controls.has(k));
  const free = classes.filter((k) => !grouped.has(k));
  const openTo = new Map(model.plateGroups.map((group, g) => [g, [...group.filter((k) => !controls.has(k)), ...free]]));
  const openOf = ({ plateGroup }: Call) => (plateGroup === undefined ? classes : openTo.get(plateGroup)!);
  const united = calls.some(({ replicates = 1 }) => replicates > 1);
  const rule = united ? model.replicates : noReplicates;
  const sets = replicateSets(
    calls.map((call, w) => ({ ...call.prediction, w })),
    rule,
  );
  const setOf = new Map(sets.flatMap(({ wells }, set) => wells.map(({ w }) => [w, set] as const)));
  const open = sets.map(({ wells: [first] }) => openOf(calls[first!.w]!));
  const scores = sets.map(({ wells }) => addUp(wells.map(({ probabilities }) => evidence(probabilities))));
  const copies = united ? model.replicates.copies : model.copies;
  const called = calls.map(({ treatment }) => model.classes.indexOf(treatment));
  return [
    {
      right: calls.map(({ treatment, prediction }) => treatment === prediction.treatment),
      balanced: (temperature) => {
        const rows = balance(scores, { open, copies }, temperature);
        return called.map((k, w) => rows[setOf.get(w)!]![k]!);
      },
    },
  ];
};
