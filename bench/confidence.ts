/** Whether confidence means what it says, and whether mix-ups of plates and wells are found, with the bundle that ships. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkers } from "../cli/parts/open-workers.ts";
import { calibrationError, reliability } from "../common/assignment/confidence.ts";
import { findMixUps, type SeenWell } from "../common/mix-ups/find-mix-ups.ts";
import { seenWells } from "../common/mix-ups/seen-wells.ts";
import { packageFile } from "../common/package-file.ts";
import { seededShuffle } from "../common/random.ts";
import { openDataset } from "../datasets/open.ts";
import { synthesise } from "../datasets/synthetic/synthesise.ts";
import { coverageAt, judge } from "../evaluation/believe.ts";
import { parseRunConfig } from "../pipeline/config.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import { buildChain } from "../pipeline/stage/chain.ts";
import type { Call } from "../pipeline/stage/items.ts";
import { stages, usualChain } from "../stages/built-in.ts";
import type { Bench } from "./figure.ts";
import { untouched } from "./held-out.ts";

/** The same wells with the layouts of two plates taken for each other. */
const swapPlates = (wells: readonly SeenWell[], a: string, b: string): SeenWell[] => {
  const claims = new Map(wells.map(({ plate, well, claimed }) => [`${plate} ${well}`, claimed]));
  const other = (plate: string) => (plate === a ? b : plate === b ? a : plate);
  return wells.map((each) => ({ ...each, claimed: claims.get(`${other(each.plate)} ${each.well}`) }));
};

const swapWells = (wells: readonly SeenWell[], i: number, j: number): SeenWell[] =>
  wells.map((each, at) => ({ ...each, claimed: wells[at === i ? j : at === j ? i : at]!.claimed }));

const pairs = 50;
/** Beside those that were generated. */
const cleanExperiments = 184;

export const confidence: Bench = {
  name: "confidence",
  description: `whether confidence means what it says, and mix-ups are found, on ${untouched.length} held-out synthetic experiments; aims: error at most 0.02, coverage 0.7`,
  async run(report, log) {
    const data = join(tmpdir(), "platestream-bench-untouched");
    const signal = new AbortController().signal;
    await synthesise(data, { experiments: untouched }, { signal, onProgress: () => undefined });
    const dataset = await openDataset(data);
    const config = parseRunConfig({ data, model: packageFile("models/demo") }, "bench", usualChain);
    const workers = await openWorkers(config, () => undefined);
    try {
      const chain = await buildChain(config.stages, stages, process.cwd());
      const all: Call[][] = [];
      const cellTypes: string[] = [];
      for (const id of untouched) {
        log(id);
        const experiment = await dataset.load(id);
        cellTypes.push(experiment.cellType);
        const run = { chain, workers, memoryBytes: 2 ** 30, attempt: 1, signal, onStatus: () => undefined };
        all.push([...(await runExperiment({ experiment, ...run })).calls]);
      }
      const judged = all.flatMap(judge);
      const ece = calibrationError(reliability(judged));
      const own = all.flat().filter(({ prediction }) => prediction.wellType === "treatment");
      const networks = own.map(({ probability, treatment, prediction }) => ({
        confidence: probability,
        right: treatment === prediction.treatment,
      }));
      const reference = calibrationError(reliability(networks));
      report({ figure: "confidence.ece", value: ece, unit: "", reference, ratio: reference / ece });
      for (const precision of [0.999, 0.99]) {
        const [value, plain] = [coverageAt(judged, precision), coverageAt(networks, precision)];
        report({
          figure: `confidence.coverage-${precision}`,
          value,
          unit: "of wells",
          reference: plain,
          ratio: value / plain,
        });
      }
      reportMixUps(
        all.map((calls, e) => ({
          cellType: cellTypes[e]!,
          wells: seenWells(calls.map(({ prediction }) => prediction)),
          right: rightShare(calls),
        })),
        report,
      );
    } finally {
      await workers.close();
    }
  },
};

interface Seen {
  readonly cellType: string;
  readonly wells: readonly SeenWell[];
  /** Of the treatment wells that the network alone calls right. */
  readonly right: number;
}

const rightShare = (calls: readonly Call[]): number => {
  const own = calls.filter(({ prediction }) => prediction.wellType === "treatment");
  return own.filter(({ byStrategy, prediction }) => byStrategy?.argmax === prediction.treatment).length / own.length;
};

/**
 * Clean experiments put together out of the plates of others: for every plate of one of them, the plate of an experiment
 * drawn at random that is said to hold the same classes. Pairs of wells across plates are new ones.
 */
const recombined = (experiments: readonly Seen[], count: number): SeenWell[][] => {
  const platesOf = (wells: readonly SeenWell[]) => {
    const names = [...new Set(wells.map(({ plate }) => plate))];
    return names.map((name) => wells.filter(({ plate }) => plate === name));
  };
  const heldBy = (wells: readonly SeenWell[]) => String(wells.map(({ claimed }) => claimed).toSorted());
  return Array.from({ length: count }, (_, i) => {
    const own = experiments[i % experiments.length]!;
    return platesOf(own.wells).flatMap((wells, p) => {
      const others = experiments.filter(({ cellType }) => cellType === own.cellType);
      const alike = others.flatMap((other) => platesOf(other.wells)).filter((other) => heldBy(other) === heldBy(wells));
      const [drawn] = seededShuffle(alike, `recombined ${i} ${p}`);
      return drawn!.map((well) => ({ ...well, plate: wells[0]!.plate }));
    });
  });
};

const reportMixUps = (experiments: readonly Seen[], report: Parameters<Bench["run"]>[0]): void => {
  const share = (figure: string, found: number, planted: number) =>
    report({ figure, value: found / planted, unit: "of planted", reference: planted, ratio: found / planted });
  const clean = [...experiments.map(({ wells }) => wells), ...recombined(experiments, cleanExperiments)];
  const alarms = clean.filter((wells) => findMixUps(wells).length > 0).length;
  report({
    figure: "mixups.false-alarms",
    value: alarms,
    unit: "experiments",
    reference: clean.length,
    ratio: alarms / clean.length,
  });
  let [plates, planted] = [0, 0];
  const swaps: { readonly found: boolean; readonly right: number }[] = [];
  for (const [e, { wells, right }] of experiments.entries()) {
    const names = [...new Set(wells.map(({ plate }) => plate))];
    for (const [i, a] of names.entries()) {
      const b = names[(i + 1) % names.length]!;
      const found = findMixUps(swapPlates(wells, a, b)).filter(({ kind }) => kind === "plate");
      planted += 1;
      plates += Number(String(found.map(({ plate }) => plate).toSorted()) === String([a, b].toSorted()));
    }
    const treatments = wells.flatMap(({ claimed }, at) => (claimed === undefined ? [] : [at]));
    for (let p = 0; p < pairs; p++) {
      const [i, j] = seededShuffle(treatments, `${e} ${p}`) as [number, number];
      if (wells[i]!.claimed === wells[j]!.claimed) continue;
      const found = findMixUps(swapWells(wells, i, j)).flatMap((each) =>
        each.wells.map(({ plate, well }) => plate + well),
      );
      const named = (at: number) => found.includes(wells[at]!.plate + wells[at]!.well);
      swaps.push({ found: named(i) && named(j), right });
    }
  }
  share("mixups.plates", plates, planted);
  const foundOf = (each: typeof swaps) => each.filter(({ found }) => found).length;
  share("mixups.wells", foundOf(swaps), swaps.length);
  // The aim is set for a network that is right in nine wells of ten by itself.
  const good = swaps.filter(({ right }) => right >= 0.88);
  share("mixups.wells-network-0.9", foundOf(good), good.length);
};
