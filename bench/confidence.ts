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
import { heldOut } from "./held-out.ts";

/** The same wells with the layouts of two plates taken for each other. */
const swapPlates = (wells: readonly SeenWell[], a: string, b: string): SeenWell[] => {
  const claims = new Map(wells.map(({ plate, well, claimed }) => [`${plate} ${well}`, claimed]));
  const other = (plate: string) => (plate === a ? b : plate === b ? a : plate);
  return wells.map((each) => ({ ...each, claimed: claims.get(`${other(each.plate)} ${each.well}`) }));
};

const swapWells = (wells: readonly SeenWell[], i: number, j: number): SeenWell[] =>
  wells.map((each, at) => ({ ...each, claimed: wells[at === i ? j : at === j ? i : at]!.claimed }));

const pairs = 50;

export const confidence: Bench = {
  name: "confidence",
  description: `whether confidence means what it says, and mix-ups are found, on ${heldOut.length} held-out synthetic experiments; aims: error at most 0.02, coverage 0.7`,
  async run(report, log) {
    const data = join(tmpdir(), "platestream-bench-ladder");
    const signal = new AbortController().signal;
    await synthesise(data, { experiments: heldOut }, { signal, onProgress: () => undefined });
    const dataset = await openDataset(data);
    const config = parseRunConfig({ data, model: packageFile("models/demo") }, "bench", usualChain);
    const workers = await openWorkers(config, () => undefined);
    try {
      const chain = await buildChain(config.stages, stages, process.cwd());
      const all: Call[][] = [];
      for (const id of heldOut) {
        log(id);
        const experiment = await dataset.load(id);
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
        all.map((calls) => seenWells(calls.map(({ prediction }) => prediction))),
        report,
      );
    } finally {
      await workers.close();
    }
  },
};

const reportMixUps = (experiments: readonly SeenWell[][], report: Parameters<Bench["run"]>[0]): void => {
  const share = (figure: string, found: number, planted: number) =>
    report({ figure, value: found / planted, unit: "of planted", reference: planted, ratio: found / planted });
  const alarms = experiments.filter((wells) => findMixUps(wells).length > 0).length;
  report({
    figure: "mixups.false-alarms",
    value: alarms,
    unit: "experiments",
    reference: experiments.length,
    ratio: 0,
  });
  let [plates, planted, wellsFound, wellsPlanted] = [0, 0, 0, 0];
  for (const [e, wells] of experiments.entries()) {
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
      wellsPlanted += 1;
      const found = findMixUps(swapWells(wells, i, j)).flatMap((each) =>
        each.wells.map(({ plate, well }) => plate + well),
      );
      const named = (at: number) => found.includes(wells[at]!.plate + wells[at]!.well);
      wellsFound += Number(named(i) && named(j));
    }
  }
  share("mixups.plates", plates, planted);
  share("mixups.wells", wellsFound, wellsPlanted);
};
