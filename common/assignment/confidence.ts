/** How far a call is to be believed: its balanced probability, bent to what turned out right on held-out experiments. */

import { z } from "zod";
import { sigmoid } from "../quantities.ts";

export const confidenceFitSchema = z.strictObject({
  temperature: z.number().positive().describe("of the network's logits before they are balanced"),
  slope: z.number().describe("of the logit of the balanced probability"),
  offset: z.number().describe("added to it"),
  wells: z.int().min(0).describe("held-out wells that this rests on"),
});
export type ConfidenceFit = z.output<typeof confidenceFitSchema>;

/** Of a network that was never tried on held-out experiments. */
export const unfitted: ConfidenceFit = { temperature: 1, slope: 1, offset: 0, wells: 0 };

const logit = (p: number): number => {
  const bounded = Math.min(1 - 1e-6, Math.max(1e-6, p));
  return Math.log(bounded / (1 - bounded));
};

/** The probability that a call of this balanced probability is right. */
export const confidenceOf = (balanced: number, { slope, offset }: ConfidenceFit): number =>
  Number(sigmoid(slope * logit(balanced) + offset).toFixed(9)); // the order in which wells are summed up does not show

/** Calls of one experiment whose truth is known. */
export interface Trial {
  /** Per well, whether its call is right. */
  readonly right: readonly boolean[];
  /** Per well, the balanced probability of its call at a temperature. */
  readonly balanced: (temperature: number) => readonly number[];
}

const temperatures = Array.from({ length: 13 }, (_, i) => 0.5 * 2 ** (i / 3));

/** Temperature, slope and offset of the least log loss; `unfitted` where there are too few calls, or all are right or wrong. */
export const fitConfidence = (trials: readonly Trial[]): ConfidenceFit => {
  const right = trials.flatMap((trial) => trial.right.map(Number));
  const correct = right.reduce((sum, each) => sum + each, 0);
  if (right.length < 30 || correct === 0 || correct === right.length) return unfitted;
  const fits = temperatures.map((temperature) => {
    const x = trials.flatMap(({ balanced }) => balanced(temperature).map(logit));
    return { temperature, ...logistic(x, right) };
  });
  const { loss: _, ...best } = fits.reduce((a, b) => (b.loss < a.loss ? b : a));
  return { ...best, wells: right.length };
};

/** Platt's scaling (Platt 1999), by Newton's method, with half a call of either kind added against certainty. */
const logistic = (x: readonly number[], right: readonly number[]) => {
  let [slope, offset] = [1, 0];
  const prior = 1e-3 * x.length;
  for (let i = 0; i < 50; i++) {
    let [ga, gb, haa, hab, hbb] = [prior * (slope - 1), 0, prior, 0, 1e-9];
    for (const [at, value] of x.entries()) {
      const p = sigmoid(slope * value + offset);
      const weight = p * (1 - p);
      ga += (p - right[at]!) * value;
      gb += p - right[at]!;
      haa += weight * value * value;
      hab += weight * value;
      hbb += weight;
    }
    const det = haa * hbb - hab * hab;
    if (Math.abs(det) < 1e-12) break;
    slope -= (hbb * ga - hab * gb) / det;
    offset -= (haa * gb - hab * ga) / det;
  }
  slope = Math.max(slope, 0.05);
  const loss = x.reduce((sum, value, at) => {
    const p = sigmoid(slope * value + offset);
    return sum - Math.log(Math.max(right[at] === 1 ? p : 1 - p, 1e-12));
  }, 0);
  return { slope, offset, loss };
};

export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly wells: number;
  /** Mean confidence of them. */
  readonly confidence: number;
  /** Share of them that is right. */
  readonly right: number;
}

/** Ten bins of equal width; empty ones are left out. */
export const reliability = (calls: readonly { confidence: number; right: boolean }[], bins = 10): ReliabilityBin[] =>
  Array.from({ length: bins }, (_, b) => {
    const inside = calls.filter(({ confidence }) => Math.min(bins - 1, Math.floor(confidence * bins)) === b);
    const share = (of: (call: (typeof inside)[number]) => number) =>
      inside.reduce((sum, call) => sum + of(call), 0) / inside.length;
    return {
      from: b / bins,
      to: (b + 1) / bins,
      wells: inside.length,
      confidence: share((call) => call.confidence),
      right: share((call) => Number(call.right)),
    };
  }).filter(({ wells }) => wells > 0);

/** Expected calibration error: how far confidence and share of right calls are apart, on average over wells. */
export const calibrationError = (bins: readonly ReliabilityBin[]): number => {
  const wells = bins.reduce((sum, bin) => sum + bin.wells, 0);
  return bins.reduce((sum, bin) => sum + (bin.wells * Math.abs(bin.confidence - bin.right)) / wells, 0);
};
