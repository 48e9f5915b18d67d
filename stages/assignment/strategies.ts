/** The ways to call the treatment wells of an experiment. */
import {
  assignCopies,
  assignOnce,
  balance,
  forbidden,
  type PlateWells,
  placeGroups,
  type WellPrediction,
} from "../../pipeline/plugin.ts";

/** A treatment well, or several that hold one treatment. */
export interface TreatmentWell {
  /** Several plates that are filled alike count as one. */
  readonly plate: string;
  /** Per class of the network. */
  readonly evidence: Float64Array;
}

/** What a strategy says of every treatment well, in their order. */
export interface Assignment {
  /** Class called. */
  readonly called: readonly number[];
  /** Classes that the strategy left open to the well. */
  readonly open: readonly (readonly number[])[];
}

export interface GroupAssignment extends Assignment {
  readonly groupOf: ReadonlyMap<string, number>;
  readonly margin: number;
}

/** Why plate groups cannot be used. */
export interface Unreliable {
  readonly unreliable: string;
}

/** The class of `classes` that the well believes in most; the first of equals. */
export const mostProbable = ({ probabilities }: WellPrediction, classes: readonly number[]): number =>
  classes.reduce((top, k) => (probabilities[k]! > probabilities[top]! ? k : top));

export const byArgmax = (wells: readonly WellPrediction[], classes: readonly number[]): Assignment => ({
  called: wells.map((prediction) => mostProbable(prediction, classes)),
  open: wells.map(() => classes),
});

/** Every class as often as it has copies, or, where there are more wells than that, no more often than it has to be. */
export const oncePerExperiment = (
  wells: readonly TreatmentWell[],
  classes: readonly number[],
  copies: readonly number[],
): Assignment => {
  const scores = wells.map(({ evidence }) => evidence);
  return { called: assignCopies(scores, classes, copies), open: wells.map(() => classes) };
};

/** The most probable class of every well once the design is known, and all wells' probabilities: [wells][classes]. */
export const byBalance = (
  wells: readonly TreatmentWell[],
  { open }: Pick<Assignment, "open">,
  copies: readonly number[],
  temperature: number,
): Assignment & { readonly balanced: readonly Float64Array[] } => {
  const scores = wells.map(({ evidence }) => evidence);
  const balanced = balance(scores, { open, copies }, temperature);
  const called = balanced.map((row, w) => open[w]!.reduce((top, k) => (row[k]! > row[top]! ? k : top), open[w]![0]!));
  return { called, open, balanced };
};

/**
 * Every class once, and on each plate only the classes of its group. Classes that are in no group, because the training
 * layouts did not tell, stay open on every plate. Returns the reason where the groups cannot be relied on.
 */
export const byPlateGroups = (
  wells: readonly TreatmentWell[],
  classes: readonly number[],
  groups: readonly (readonly number[])[],
  copies: readonly number[],
  minMargin: number,
): GroupAssignment | Unreliable => {
  if (groups.length === 0) return { unreliable: "the model has none" };
  const plates = platesOf(wells);
  const placement = placeGroups(plates, groups);
  if (placement === undefined) {
    return { unreliable: `${plates.length} plates hold treatments, the model has ${groups.length} groups` };
  }
  const { groupOf, margin } = placement;
  if (margin < minMargin) {
    return {
      unreliable: `the best placement of groups leads the next by ${margin.toFixed(2)} standard errors, ${minMargin} are needed`,
    };
  }
  const grouped = new Set(groups.flat());
  const free = classes.filter((k) => !grouped.has(k));
  const sizeOf = (plate: string) =>
    groups[groupOf.get(plate)!]!.reduce((sum, k) => sum + (copies[k] === undefined ? 1 : copies[k]), 0);
  const excess = plates.filter((each) => each.wells.length > sizeOf(each.plate));
  if (excess.reduce((sum, each) => sum + each.wells.length - sizeOf(each.plate), 0) > free.length) {
    const crowded = excess.map((each) => `${each.plate} (${each.wells.length} wells, ${sizeOf(each.plate)} classes)`);
    return { unreliable: `more treatment wells than classes in the group of plate ${crowded.join(", ")}` };
  }
  const openOn = new Map(plates.map(({ plate }) => [plate, [...groups[groupOf.get(plate)!]!, ...free]]));
  const open = wells.map(({ plate }) => openOn.get(plate)!);
  const called = free.length === 0 ? plateByPlate(wells, plates, openOn, copies) : together(wells, open, copies);
  return { called, open, groupOf, margin };
};

/** No class is open to two plates: four assignments of 277 take a tenth of one of 1,108. */
const plateByPlate = (
  wells: readonly TreatmentWell[],
  plates: readonly PlateWells[],
  openOn: ReadonlyMap<string, readonly number[]>,
  copies: readonly number[],
): number[] => {
  const called = new Map<Float64Array, number>();
  for (const { plate, wells: own } of plates) {
    const given = assignCopies(own, openOn.get(plate)!, copies);
    for (const [w, evidence] of own.entries()) called.set(evidence, given[w]!);
  }
  return wells.map(({ evidence }) => called.get(evidence)!);
};

const together = (
  wells: readonly TreatmentWell[],
  open: readonly (readonly number[])[],
  copies: readonly number[],
): number[] => {
  const scores = wells.map(({ evidence }, w) => {
    const score = new Float64Array(evidence.length).fill(forbidden);
    for (const k of open[w]!) score[k] = evidence[k]!;
    return score;
  });
  return copies.length === 0 ? assignOnce(scores) : assignCopies(scores, [...scores[0]!.keys()], copies);
};

const platesOf = (wells: readonly TreatmentWell[]): PlateWells[] => {
  const plates = new Map<string, Float64Array[]>();
  for (const { plate, evidence } of wells) {
    const members = plates.get(plate);
    if (members === undefined) plates.set(plate, [evidence]);
    else members.push(evidence);
  }
  return [...plates].map(([plate, members]) => ({ plate, wells: members }));
};
