/** How many wells were called right, where the truth is known: on wells, treatments only. */

import type { WellType } from "../../screen/experiment.ts";
import { type Strategy, strategies } from "../stage/items.ts";

export interface Accuracy {
  /** Treatment wells whose treatment is known, called or not. */
  readonly n: number;
  readonly correct: number;
  /** correct / n: a well without a call counts as wrong. */
  readonly accuracy: number;
}

/** Strategies that no well was called with are absent. */
export type Accuracies = Readonly<Partial<Record<Strategy, Accuracy>>>;

export interface ScoredWell {
  readonly wellType: WellType;
  /** The truth, where it is known. */
  readonly treatment?: string;
  /** What each strategy says; empty for a well that could not be called. */
  readonly called: Readonly<Partial<Record<Strategy, string>>>;
}

/** Scores the wells of one experiment with every strategy that called at least one of them. */
export const scoreWells = (wells: readonly ScoredWell[]): Accuracies => {
  const known = wells.filter(({ wellType, treatment }) => wellType === "treatment" && treatment !== undefined);
  return score((strategy) => {
    if (!known.some(({ called }) => called[strategy] !== undefined)) return undefined;
    return { n: known.length, correct: known.filter(({ treatment, called }) => called[strategy] === treatment).length };
  });
};

/** Adds up experiments well by well. An experiment in which a strategy called nothing does not count for it. */
export const totalAccuracies = (experiments: readonly Accuracies[]): Accuracies =>
  score((strategy) => {
    const scored = experiments.flatMap(({ [strategy]: each }) => each ?? []);
    if (scored.length === 0) return undefined;
    return {
      n: scored.reduce((sum, { n }) => sum + n, 0),
      correct: scored.reduce((sum, { correct }) => sum + correct, 0),
    };
  });

const score = (count: (strategy: Strategy) => { n: number; correct: number } | undefined): Accuracies => {
  const scored: Partial<Record<Strategy, Accuracy>> = {};
  for (const strategy of strategies) {
    const counted = count(strategy);
    if (counted !== undefined) scored[strategy] = { ...counted, accuracy: counted.correct / counted.n };
  }
  return scored;
};
