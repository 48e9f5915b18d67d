/** Learns from a training layout which classes always share a plate. */
import type { Experiment } from "../pipeline/plugin.ts";

/** A pair of classes belongs together when it shares a plate in at least this part of the experiments that hold both. */
const together = 0.6;

/**
 * Groups of class names that occur on one plate together, over all experiments; treatments only.
 *
 * Classes are joined by how often they share a plate, so missing wells, incomplete plates and a single odd experiment
 * do no harm. Empty when the layout has no such groups: classes that wander between plates, a single plate, or a single
 * experiment, which cannot tell.
 */
export const learnPlateGroups = (experiments: readonly Experiment[]): string[][] => {
  if (experiments.length < 2) return [];
  const plateOf = experiments.map(platesByClass);
  const classes = [...new Set(plateOf.flatMap((plates) => [...plates.keys()]))].sort(byNumber);
  const groups: string[][] = [];
  for (const name of classes) {
    // Comparing with a few members is enough: they were seen together with each other.
    const home = groups.find((members) => {
      const compared = members.slice(0, 9).map((member) => share(plateOf, name, member));
      const known = compared.filter((value) => value !== undefined);
      return known.length > 0 && known.filter((value) => value >= together).length > known.length / 2;
    });
    if (home === undefined) groups.push([name]);
    else home.push(name);
  }
  const plates = Math.max(0, ...experiments.map(({ plates: all }) => all.length));
  const real = groups.length >= 2 && groups.length <= plates && groups.every((members) => members.length > 1);
  return real ? groups : [];
};

const platesByClass = ({ sites }: Experiment): Map<string, string> => {
  const plates = new Map<string, string>();
  for (const { wellType, sirna, plate } of sites) {
    if (wellType === "treatment" && sirna !== undefined) plates.set(sirna, plate);
  }
  return plates;
};

/** Part of the experiments holding both classes in which they share a plate; undefined when none holds both. */
const share = (plateOf: readonly ReadonlyMap<string, string>[], a: string, b: string): number | undefined => {
  const both = plateOf.filter((plates) => plates.has(a) && plates.has(b));
  if (both.length === 0) return undefined;
  return both.filter((plates) => plates.get(a) === plates.get(b)).length / both.length;
};

const byNumber = (a: string, b: string): number => Number(a) - Number(b) || (a < b ? -1 : 1);
