/** Calls wells from a network's beliefs and the plates' design alone, and ranks the calls by how clear they are. */
import { assignCopies, evidence } from "../../common/assignment/assign.ts";
import { balance } from "../../common/assignment/balance.ts";
import { placeGroups } from "../../common/assignment/place-groups.ts";
import type { HeldOutWell } from "../loop/held-out-wells.ts";

/** What a bundle knows of the design. */
export interface KnownDesign {
  readonly controls: readonly number[];
  readonly plateGroups: readonly (readonly number[])[];
  readonly copies: readonly number[];
  readonly classes: readonly string[];
}

export interface PseudoLabel {
  readonly plate: string;
  readonly well: string;
  /** Class called. */
  readonly called: number;
  /** Evidence of the call minus that of the best other class that was open to the well. */
  readonly margin: number;
  /** [classes], how probable each is given the design; adds up to 1. */
  readonly shares: Float64Array;
}

/** Below this lead, in standard errors, the placement of groups is not relied on; as in calling. */
const leastLead = 2;

/** The wells of one experiment; the clearest calls come first. */
export const pseudoLabels = (
  wells: readonly Pick<HeldOutWell, "plate" | "well" | "probabilities">[],
  { classes, controls, plateGroups, copies }: KnownDesign,
): PseudoLabel[] => {
  const known = new Set(controls);
  const treatments = [...classes.keys()].filter((k) => !known.has(k));
  const plates = new Map<string, { well: string; scores: Float64Array }[]>();
  for (const { plate, well, probabilities } of wells) {
    plates.set(plate, [...(plates.get(plate) ?? []), { well, scores: evidence(probabilities) }]);
  }
  const groups = plateGroups.map((group) => group.filter((k) => !known.has(k)));
  const grouped = groups.flat().length === treatments.length;
  const placement = grouped
    ? placeGroups(
        [...plates].map(([plate, own]) => ({ plate, wells: own.map(({ scores }) => scores) })),
        groups,
      )
    : undefined;
  const parts =
    placement !== undefined && placement.margin >= leastLead
      ? [...plates].map(([plate, own]) => ({
          own: own.map((each) => ({ plate, ...each })),
          open: groups[placement.groupOf.get(plate)!]!,
        }))
      : [{ own: [...plates].flatMap(([plate, own]) => own.map((each) => ({ plate, ...each }))), open: treatments }];
  return parts
    .flatMap(({ own, open }) => {
      const scores = own.map((each) => each.scores);
      const shares = balance(scores, { open: own.map(() => open), copies }, 1).map((row) => among(row, open));
      return assignCopies(scores, open, copies).map((called, w): PseudoLabel => {
        const other = open.reduce((top, k) => (k === called ? top : Math.max(top, scores[w]![k]!)), -Infinity);
        const { plate, well } = own[w]!;
        return { plate, well, called, margin: scores[w]![called]! - other, shares: shares[w]! };
      });
    })
    .toSorted((a, b) => b.margin - a.margin || (a.plate + a.well < b.plate + b.well ? -1 : 1));
};

/** The row with 0 for all other classes. */
const among = (row: Float64Array, open: readonly number[]): Float64Array => {
  const kept = new Float64Array(row.length);
  for (const k of open) kept[k] = row[k]!;
  return kept;
};
