/** What adapting the demo's bundle to an experiment is worth, and what it costs. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkers } from "../cli/parts/open-workers.ts";
import { packageFile } from "../common/package-file.ts";
import { openDataset } from "../datasets/open.ts";
import { synthesise } from "../datasets/synthetic/synthesise.ts";
import { type Counted, estimate, showEstimate } from "../evaluation/estimate.ts";
import { parseRunConfig, withSettings } from "../pipeline/config.ts";
import { reportExperiment } from "../pipeline/results/report.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import { buildChain } from "../pipeline/stage/chain.ts";
import type { Experiment } from "../screen/experiment.ts";
import { stages, usualChain } from "../stages/built-in.ts";
import { adaptBundle } from "../training/adapt/adapt-bundle.ts";
import { adaptRecipeSchema } from "../training/adapt/adapt-recipe.ts";
import type { Bench } from "./figure.ts";
import { trainedOn, untouched } from "./held-out.ts";

/** `BENCH_EXPERIMENTS=HEPG2-61,HEPG2-62` measures these only. */
const experiments = process.env.BENCH_EXPERIMENTS?.split(",") ?? untouched;
const signal = new AbortController().signal;

const callsOf = async (experiment: Experiment, model: string, settings: readonly string[] = []): Promise<Counted> => {
  const config = parseRunConfig({ data: "unused", model }, "bench", usualChain);
  const workers = await openWorkers(config, () => undefined);
  try {
    const chain = await buildChain(withSettings(config.stages, settings), stages, process.cwd());
    const run = { chain, workers, memoryBytes: 2 ** 30, attempt: 1, signal, onStatus: () => undefined };
    const { report } = reportExperiment(await runExperiment({ experiment, ...run }));
    return report.accuracy["plate-groups"]!;
  } finally {
    await workers.close();
  }
};

export const adapt: Bench = {
  name: "adapt",
  description: `the demo's bundle adapted to each of ${experiments.length} synthetic experiments used for no choice, without their labels, against the same bundle as it ships; aims: 70 % of its errors gone, at most 360 s of a processor each`,
  async run(report, log) {
    const data = join(tmpdir(), "platestream-bench-untouched");
    const training = join(tmpdir(), "platestream-bench-training");
    log(`${experiments.join(", ")} and the demo's training data (generated if they are not there)`);
    const cellTypes = new Set(experiments.map((id) => id.replace(/-\d+$/, "")));
    const originals = trainedOn.filter((id) => cellTypes.has(id.replace(/-\d+$/, "")));
    await synthesise(data, { experiments }, { signal, onProgress: () => undefined });
    await synthesise(training, { experiments: originals }, { signal, onProgress: () => undefined });
    const dataset = await openDataset(data);
    const original = await openDataset(training);
    const model = packageFile("models/demo");
    const [before, views, after]: [Counted[], Counted[], Counted[]] = [[], [], []];
    const seconds: number[] = [];
    for (const id of experiments) {
      const out = await mkdtemp(join(tmpdir(), "platestream-bench-adapt-"));
      const experiment = await dataset.load(id);
      const started = process.cpuUsage();
      await adaptBundle(dataset, {
        recipe: adaptRecipeSchema.parse({}),
        model,
        out,
        experiments: [id],
        original,
        provider: "cpu",
        threads: availableParallelism(),
        cacheBytes: 2 ** 30,
        stop: signal,
        onRound: () => undefined,
      });
      const { user, system } = process.cpuUsage(started);
      seconds.push((user + system) / 1e6);
      before.push(await callsOf(experiment, model));
      views.push(await callsOf(experiment, model, ["infer.allViews=true"]));
      after.push(await callsOf(experiment, out));
      await rm(out, { recursive: true });
      const right = [before, views, after].map((each) => (each.at(-1)!.correct / each.at(-1)!.n).toFixed(4));
      log(`${id}: ${right.join(", ")}, ${seconds.at(-1)!.toFixed(0)} s of a processor`);
    }
    for (const [words, counts] of Object.entries({ "as it ships": before, "in all views": views, adapted: after }))
      log(`${words}: ${showEstimate(estimate(counts))}, ${counts.length} experiments`);
    const [value, reference] = [estimate(after).mean, estimate(before).mean];
    report({ figure: "ladder.adapted", value, unit: "of wells", reference, ratio: value / reference });
    const errors = { value: 1 - value, reference: 1 - reference };
    report({ figure: "ladder.adapted-errors", ...errors, unit: "of wells", ratio: errors.value / errors.reference });
    const mean = seconds.reduce((sum, each) => sum + each, 0) / seconds.length;
    report({ figure: "adapt.cpu-seconds", value: mean, unit: "s", reference: 360, ratio: 360 / mean });
  },
};
