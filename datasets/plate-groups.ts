/** Learns from a training layout which classes always share a plate. */
import type { Experiment } from "../screen/experiment.ts";

/** Part of a plate's classes that must be of one group: a few wells may be mislabelled. */
const agreement = 0.9;

/** Per plate, the classes of its treatment wells. */
type Layout = readonly (readonly string[])[];

/**
 * Groups of class names that occur on one plate together in every experiment, whichever plate that is; treatments only.
 *
 * Every experiment is tried as the template: its plates are the groups, and each other experiment either bears them out
 * (every plate holds classes of one group, no two plates of the same) and may add classes that the template lacks, or
 * does not. The template that most experiments bear out wins, so missing wells, incomplete plates, missing plates and
 * odd experiments do no harm. Empty when there are no such groups: when the best template is not borne out by more than
 * half of the experiments (itself among them) and by at least two. Experiments of a single plate show nothing and do not
 * count. A class that only odd experiments hold is in no group.
 */
export const learnPlateGroups = (experiments: readonly Experiment[]): string[][] => {
  const layouts = experiments.map(layoutOf).filter(({ length }) => length > 1);
  let best: Grouping = { votes: new Map(), borneOutBy: 0 };
  for (const template of layouts) {
    const grouping = groupBy(template, layouts);
    if (grouping.borneOutBy > best.borneOutBy) best = grouping;
  }
  if (best.borneOutBy < 2 || best.borneOutBy <= layouts.length / 2) return [];
  return groupsOf(best.votes);
};

const layoutOf = ({ sites }: Experiment): Layout => {
  const plates = new Map<string, Set<string>>();
  for (const { wellType, treatment, plate } of sites) {
    if (wellType !== "treatment" || treatment === undefined) continue;
    plates.set(plate, (plates.get(plate) ?? new Set()).add(treatment));
  }
  return [...plates.values()].map((classes) => [...classes]);
};

interface Grouping {
  /** Per class, how often it stood on the plate of each group. */
  readonly votes: Map<string, number[]>;
  readonly borneOutBy: number;
}

const groupBy = (template: Layout, layouts: readonly Layout[]): Grouping => {
  const votes: Grouping["votes"] = new Map();
  let groups = 0;
  let borneOutBy = 0;
  for (const layout of [template, ...layouts.filter((each) => each !== template)]) {
    const placed = placeOf(layout, votes, groups);
    if (placed === undefined) continue;
    groups = Math.max(groups, ...placed.map((group) => group + 1));
    borneOutBy += 1;
    for (const [plate, classes] of layout.entries()) {
      for (const name of classes) {
        const cast = votes.get(name) ?? [];
        cast[placed[plate]!] = (cast[placed[plate]!] ?? 0) + 1;
        votes.set(name, cast);
      }
    }
  }
  return { votes, borneOutBy };
};

/**
 * Per plate its group, new ones for plates whose classes are all unknown; undefined when the layout contradicts the
 * groups, or shows fewer than two of them.
 */
const placeOf = (layout: Layout, votes: Grouping["votes"], groups: number): number[] | undefined => {
  let next = groups;
  const placed: number[] = [];
  for (const classes of layout) {
    const known = classes.flatMap((name) => (votes.has(name) ? [winner(votes.get(name)!)] : []));
    const group = known.length === 0 ? next++ : mostFrequent(known);
    if (known.filter((each) => each === group).length < agreement * known.length) return undefined;
    placed.push(group);
  }
  const shown = placed.filter((group) => group < groups).length;
  return new Set(placed).size === placed.length && (groups === 0 || shown >= 2) ? placed : undefined;
};

const mostFrequent = (groups: readonly number[]): number => {
  const counts: number[] = [];
  for (const group of groups) counts[group] = (counts[group] ?? 0) + 1;
  return winner(counts);
};

/** Index of the largest count; holes count as none. */
const winner = (counts: readonly number[]): number =>
  counts.reduce((top, count, group) => (count > (counts[top] ?? 0) ? group : top), 0);

const groupsOf = (votes: Grouping["votes"]): string[][] => {
  const groups: string[][] = [];
  for (const [name, cast] of votes) {
    const group = winner(cast);
    groups[group] ??= [];
    groups[group].push(name);
  }
  const { compare } = new Intl.Collator("en", { numeric: true });
  return groups
    .filter((group) => group.length > 0)
    .map((group) => group.sort(compare))
    .sort(([a], [b]) => compare(a!, b!));
};
