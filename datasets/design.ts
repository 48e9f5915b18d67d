/** What a training layout tells of the plates' design. */
import type { Replicates } from "../common/assignment/replicates.ts";
import type { Experiment } from "../screen/experiment.ts";
import { copiesOf } from "./copies.ts";
import { learnPlateGroups } from "./plate-groups.ts";
import { learnReplicates, unite } from "./replicates.ts";

export interface Design {
  /** Indices of classes that occur together on one plate, or on plates that are filled alike; empty where none were learnt. */
  readonly plateGroups: number[][];
  /** Per class, wells of an experiment that hold it at most; empty: one. */
  readonly copies: number[];
  readonly replicates: Replicates;
}

/** Classes that are not among `names` are left out. */
export const learnDesign = (experiments: readonly Experiment[]): ((names: readonly string[]) => Design) => {
  const rule = learnReplicates(experiments);
  const united = unite(experiments, rule);
  const groups = learnPlateGroups(united);
  return (names) => {
    const index = new Map(names.map((name, k) => [name, k]));
    return {
      plateGroups: groups
        .map((group) => group.flatMap((name) => index.get(name) ?? []))
        .filter(({ length }) => length > 0),
      copies: copiesOf(names, experiments),
      replicates: { ...rule, copies: rule.acrossPlates || rule.positions.length > 0 ? copiesOf(names, united) : [] },
    };
  };
};
