/** Finds which group of classes each plate of an experiment holds. */
import { assignOnce } from "./assign.ts";

export interface PlateWells {
  readonly plate: string;
  /** Per treatment well, probabilities [classes]. */
  readonly wells: readonly Float32Array[];
}

export interface Placement {
  /** Per plate, the index of its group. */
  readonly groupOf: ReadonlyMap<string, number>;
  /** Log-likelihood of this placement minus that of the next best, per treatment well, in nats. */
  readonly margin: number;
}

/**
 * Scores placements of groups on plates by likelihood: every well spreads its belief over the groups, a group that is
 * believed in everywhere counts for less (where every group is on some plate), and a placement is as likely as all wells' beliefs in the group of their
 * plate together. All placements are open, not only the rotations that RxRx1 happens to show.
 *
 * Returns undefined where no placement exists: no groups, or more plates than groups.
 */
export const placeGroups = (
  plates: readonly PlateWells[],
  groups: readonly (readonly number[])[],
): Placement | undefined => {
  if (plates.length === 0 || groups.length < 2 || plates.length > groups.length) return undefined;
  const beliefs = plates.map(({ wells }) => wells.map((well) => groups.map((classes) => massOf(well, classes))));
  const complete = plates.length === groups.length;
  const totals = groups.map((_, g) => (complete ? beliefs.flat().reduce((sum, well) => sum + well[g]!, 0) : 1));
  const scores = beliefs.map((wells) =>
    groups.map((_, g) => wells.reduce((sum, well) => sum + logShare(well, totals, g), 0)),
  );
  const best = assignOnce(scores);
  const total = (placement: readonly number[]) => placement.reduce((sum, g, p) => sum + scores[p]![g]!, 0);
  // The next best placement differs from the best on some plate: forbid each plate's group in turn.
  const others = best.map((forbidden, p) =>
    total(
      assignOnce(scores.map((row, q) => (q === p ? row.map((score, g) => (g === forbidden ? -1e12 : score)) : row))),
    ),
  );
  const wells = plates.reduce((sum, plate) => sum + plate.wells.length, 0);
  return {
    groupOf: new Map(plates.map(({ plate }, p) => [plate, best[p]!])),
    margin: (total(best) - Math.max(...others)) / wells,
  };
};

const massOf = (probabilities: Float32Array, classes: readonly number[]): number =>
  classes.reduce((sum, k) => sum + probabilities[k]!, 0);

const logShare = (well: readonly number[], totals: readonly number[], group: number): number => {
  const shares = well.map((mass, g) => (totals[g]! > 0 ? mass / totals[g]! : 0));
  const all = shares.reduce((sum, share) => sum + share, 0);
  return Math.log(Math.max(all > 0 ? shares[group]! / all : 1 / shares.length, 1e-6));
};
