/** Learns from a training layout which wells of an experiment hold one treatment: plates that are filled alike, sets of wells. */
import { noReplicates, type Replicates, replicateSets } from "../common/assignment/replicates.ts";
import type { Experiment, Site } from "../screen/experiment.ts";

/** What is learnt holds for this share of the wells, beyond chance: a few may be mislabelled. */
const agreement = 0.9;
/** How probable it may be that any set of wells agrees by chance alone. */
const byChance = 0.01;

type Rule = Omit<Replicates, "copies">;
type Well = Site & { readonly treatment: string };

/**
 * Plates are filled alike where the wells at one position hold one treatment in every experiment: all plates of an
 * experiment, or those that share the value of a column that is the same all over a plate, such as the name of its map.
 * Sets of wells of a plate are those that hold one treatment on every plate while treatments move from plate to plate.
 */
export const learnReplicates = (experiments: readonly Experiment[]): Rule => {
  const labelled = experiments.map(wellsOf).filter(({ length }) => length > 0);
  const candidates: Rule[] = [[], ...plateColumns(labelled).map((column) => [column])].map((columns) => ({
    ...{ acrossPlates: true, plateColumns: columns, positions: [] },
  }));
  const across = candidates.find((rule) => holds(labelled, rule)) ?? noReplicates;
  const { acrossPlates, plateColumns: columns } = across;
  return { acrossPlates, plateColumns: columns, positions: positionSets(labelled, across) };
};

/** The experiments as they are once wells that hold one treatment count as one: what groups and copies are learnt from. */
export const unite = (experiments: readonly Experiment[], rule: Rule): readonly Experiment[] =>
  experiments.map((experiment) => {
    const sites = replicateSets(experiment.sites, rule).flatMap(({ plate, position, wells }) =>
      wells.map((site) => ({ ...site, plate, well: position })),
    );
    return { ...experiment, sites, plates: [...new Set(sites.map(({ plate }) => plate))] };
  });

/** One site stands for its well. */
const wellsOf = ({ sites }: Experiment): Well[] => {
  const wells = new Map<string, Well>();
  for (const site of sites)
    if (site.wellType === "treatment" && site.treatment !== undefined)
      wells.set(`${site.plate}\n${site.well}`, site as Well);
  return [...wells.values()];
};

/** Columns that have one value all over each plate. */
const plateColumns = (experiments: readonly (readonly Well[])[]): string[] => {
  const names = new Set(experiments.flatMap((wells) => wells.flatMap(({ metadata }) => Object.keys(metadata))));
  return [...names].filter((name) =>
    experiments.every((wells) => {
      const valueOn = new Map<string, string | undefined>();
      return wells.every(({ plate, metadata }) => {
        const value = metadata[name];
        if (!valueOn.has(plate)) valueOn.set(plate, value);
        return value !== undefined && valueOn.get(plate) === value;
      });
    }),
  );
};

/** Whether wells of one set hold one treatment in every experiment that has such sets, more than chance would have it. */
const holds = (experiments: readonly (readonly Well[])[], rule: Rule): boolean => {
  const shares = experiments.flatMap((wells) => {
    const sets = replicateSets(wells, rule).filter((set) => set.wells.length > 1);
    if (sets.length < 2) return [];
    const members = sets.flatMap((set) => set.wells);
    const agreeing = sets.reduce((sum, set) => sum + largest(countsOf(set.wells)), 0);
    const chance = largest(countsOf(members)) / members.length;
    return [chance >= 1 ? 0 : (agreeing / members.length - chance) / (1 - chance)];
  });
  return shares.length > 0 && shares.every((share) => share >= agreement);
};

const countsOf = (wells: readonly Well[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { treatment } of wells) counts.set(treatment, (counts.get(treatment) ?? 0) + 1);
  return counts;
};

const largest = (counts: ReadonlyMap<string, number>): number => Math.max(...counts.values());

/** What a position holds, plate by plate; plates that are filled alike count once. */
type Held = ReadonlyMap<string, string>;

const positionSets = (experiments: readonly (readonly Well[])[], rule: Rule): string[][] => {
  const held = new Map<string, Map<string, string>>();
  const plates = new Set<string>();
  let [same, pairs] = [0, 0];
  for (const [index, wells] of experiments.entries()) {
    const sets = replicateSets(wells, rule);
    for (const { plate, position, wells: own } of sets) {
      const name = `${index}\n${plate}`;
      plates.add(name);
      held.set(position, (held.get(position) ?? new Map()).set(name, own[0]!.treatment));
    }
    for (const count of countsOf(sets.map((set) => set.wells[0]!)).values()) same += count ** 2;
    pairs += sets.length ** 2;
  }
  const needed = neededPlates(same / Math.max(pairs, 1), held.size);
  if (plates.size < Math.max(2, needed)) return [];
  const sets: { readonly names: string[]; readonly held: Held }[] = [];
  for (const [position, own] of held) {
    const found = sets.find((set) => agree(set.held, own, needed));
    if (found === undefined) sets.push({ names: [position], held: own });
    else found.names.push(position);
  }
  return sets.map(({ names }) => names).filter(({ length }) => length > 1);
};

/** On how many plates two positions must agree, so that not even one of all pairs does so by chance. */
const neededPlates = (chance: number, positions: number): number =>
  chance >= 1 ? Number.POSITIVE_INFINITY : Math.max(2, Math.log(byChance / positions ** 2) / Math.log(chance));

/** Both hold one treatment on nearly all plates that have both, and not always the same one. */
const agree = (one: Held, other: Held, needed: number): boolean => {
  let [both, alike] = [0, 0];
  const seen = new Set<string>();
  for (const [plate, treatment] of one) {
    const there = other.get(plate);
    if (there === undefined) continue;
    both += 1;
    if (there !== treatment) continue;
    alike += 1;
    seen.add(treatment);
  }
  return alike >= needed && alike >= agreement * both && seen.size > 1;
};
