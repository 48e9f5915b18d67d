/** How many calls are right, where the layout says what every well holds. */
import type { WellRow } from "../protocol.ts";
import { confidenceOf } from "./colours.ts";

export interface Score {
  readonly name: string;
  readonly n: number;
  readonly correct: number;
  readonly accuracy: number;
  /** Wilson's interval, 95 %. */
  readonly low: number;
  readonly high: number;
}

export const score = (name: string, n: number, correct: number): Score => {
  const z = 1.96;
  const p = correct / n;
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { name, n, correct, accuracy: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
};

/** Treatment wells that were called and whose treatment is known. */
export const scored = (wells: Iterable<WellRow>): WellRow[] =>
  [...wells].filter(
    ({ wellType, treatment, call }) => wellType === "treatment" && treatment !== undefined && call !== undefined,
  );

/** From the network alone to everything that the plate design says. */
const ladder = ["argmax", "once-per-experiment", "plate-groups"];

export const byStrategy = (wells: readonly WellRow[]): Score[] => {
  const names = [...new Set(wells.flatMap(({ byStrategy: own }) => Object.keys(own ?? {})))].sort(
    (a, b) => ladder.indexOf(a) - ladder.indexOf(b),
  );
  return names.map((name) => {
    const called = wells.filter(({ byStrategy: own }) => own?.[name] !== undefined);
    return score(
      name,
      called.length,
      called.filter(({ byStrategy: own, treatment }) => own![name] === treatment).length,
    );
  });
};

export interface Confusion {
  readonly treatment: string;
  readonly call: string;
  readonly count: number;
}

/** Wrong calls, the most frequent first. */
export const confusions = (wells: readonly WellRow[]): Confusion[] => {
  const counts = new Map<string, Confusion>();
  for (const { treatment, call } of wells) {
    if (treatment === call) continue;
    const key = JSON.stringify([treatment, call]);
    counts.set(key, { treatment: treatment!, call: call!, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
};

const bins = 10;

/** Share of right calls by confidence, in tenths; tenths without a well are left out. */
export const reliability = (
  wells: readonly WellRow[],
): { readonly confidence: number; readonly right: number; readonly n: number }[] =>
  Array.from({ length: bins }, (_, bin) => {
    const own = wells.filter((row) => Math.min(bins - 1, Math.floor((confidenceOf(row) ?? 0) * bins)) === bin);
    const sum = own.reduce((total, row) => total + (confidenceOf(row) ?? 0), 0);
    const right = own.filter(({ treatment, call }) => treatment === call).length;
    return { confidence: sum / Math.max(1, own.length), right: right / Math.max(1, own.length), n: own.length };
  }).filter(({ n }) => n > 0);
