/** Looks for what is wrong with an experiment before anybody believes its calls: images, controls, and layouts. */
import { findMixUps, type MixUp, type OtherLayout } from "../common/mix-ups/find-mix-ups.ts";
import { seenWells } from "../common/mix-ups/seen-wells.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import type { Chain } from "../pipeline/stage/chain.ts";
import type { Call } from "../pipeline/stage/items.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { readSite } from "../screen/read-site.ts";
import { type ChannelQuality, siteQuality } from "./quality/site-quality.ts";
import { judgeWells, meanOfSites, type PlateDrift, plateDrifts, type WellQuality } from "./quality/well-quality.ts";

export interface OddControl {
  readonly plate: string;
  readonly well: string;
  readonly control: string;
  /** What it looks like instead. */
  readonly call: string;
}

export interface CheckedExperiment {
  readonly experiment: string;
  readonly wells: readonly WellQuality[];
  readonly drifts: readonly PlateDrift[];
  readonly mixUps: readonly MixUp[];
  readonly oddControls: readonly OddControl[];
  /** Sites that could not be read, with the reason. */
  readonly unreadable: readonly string[];
}

export interface CheckOptions {
  /** Absent: images alone are looked at. */
  readonly network?: { readonly chain: Chain; readonly workers: Workers; readonly memoryBytes: number } | undefined;
  /** What plates of other experiments are said to hold, by class name. */
  readonly others: readonly { readonly name: string; readonly claims: ReadonlyMap<string, string> }[];
  readonly signal: AbortSignal;
  readonly onSite: (done: number, all: number) => void;
}

export const checkExperiment = async (experiment: Experiment, options: CheckOptions): Promise<CheckedExperiment> => {
  const { wells, unreadable } = await measure(experiment, options);
  const found = { experiment: experiment.id, wells: judgeWells(wells), drifts: plateDrifts(wells), unreadable };
  if (options.network === undefined) return { ...found, mixUps: [], oddControls: [] };
  const { signal, network } = options;
  const run = { ...network, attempt: 1, signal, onStatus: () => undefined };
  const { calls } = await runExperiment({ experiment, ...run });
  const predictions = calls.map(({ prediction }) => prediction);
  const indexOf = new Map(predictions[0]?.model.classes.map((name, k) => [name, k]));
  const others = options.others.map(({ name, claims }): OtherLayout => {
    const known = [...claims].flatMap(([well, treatment]) => {
      const k = indexOf.get(treatment);
      return k === undefined ? [] : [[well, k] as const];
    });
    return { name, claims: new Map(known) };
  });
  return { ...found, mixUps: findMixUps(seenWells(predictions), others), oddControls: oddControls(calls) };
};

const measure = async ({ sites }: Experiment, { signal, onSite }: CheckOptions) => {
  const wells = new Map<string, { plate: string; well: string; sites: ChannelQuality[][] }>();
  const unreadable: string[] = [];
  for (const [done, { plate, well, site, images }] of sites.entries()) {
    signal.throwIfAborted();
    try {
      const quality = siteQuality(await readSite(images));
      const key = `${plate}\n${well}`;
      const entry = wells.get(key) ?? { plate, well, sites: [] };
      wells.set(key, entry);
      entry.sites.push(quality);
    } catch (thrown) {
      unreadable.push(`plate ${plate} well ${well} site ${site}: ${(thrown as Error).message}`);
    }
    onSite(done + 1, sites.length);
  }
  const measured = [...wells.values()].map(({ plate, well, sites: each }) => ({
    plate,
    well,
    channels: meanOfSites(each),
  }));
  return { wells: measured, unreadable };
};

/** Controls that the network takes for something else, and nearly excludes to be what they are said to be. */
const oddControls = (calls: readonly Call[]): OddControl[] => {
  const controls = calls.filter(({ prediction }) => prediction.wellType !== "treatment");
  const seen = seenWells(controls.map(({ prediction }) => prediction));
  const shareOf = new Map(seen.map((each) => [`${each.plate}\n${each.well}`, each]));
  return controls.flatMap(({ prediction: { plate, well, treatment }, treatment: call }) => {
    const own = shareOf.get(`${plate}\n${well}`);
    if (own?.claimed === undefined || treatment === undefined || own.shares[own.claimed]! > 1e-3) return [];
    return [{ plate, well, control: treatment, call }];
  });
};
