/** Learns from a training layout how often a treatment occurs in an experiment. */
import type { Experiment } from "../screen/experiment.ts";

/** Per treatment, the most wells of one experiment that hold it; controls are not counted. */
const learnCopies = (experiments: readonly Experiment[]): Map<string, number> => {
  const most = new Map<string, number>();
  for (const { sites } of experiments) {
    const wells = new Map<string, Set<string>>();
    for (const { wellType, treatment, plate, well } of sites) {
      if (wellType !== "treatment" || treatment === undefined) continue;
      wells.set(treatment, (wells.get(treatment) ?? new Set()).add(`${plate}\n${well}`));
    }
    for (const [treatment, { size }] of wells) most.set(treatment, Math.max(size, most.get(treatment) ?? 1));
  }
  return most;
};

/** In the order of `classes`; empty where every class occurs once. */
export const copiesOf = (classes: readonly string[], experiments: readonly Experiment[]): number[] => {
  const most = learnCopies(experiments);
  const copies = classes.map((name) => most.get(name) ?? 1);
  return copies.every((count) => count === 1) ? [] : copies;
};
