/** What adapting the demo's bundle to an experiment is worth, and how long it takes. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkers } from "../cli/parts/open-workers.ts";
import { packageFile } from "../common/package-file.ts";
import { openDataset } from "../datasets/open.ts";
import { synthesise } from "../datasets/synthetic/synthesise.ts";
import { parseRunConfig } from "../pipeline/config.ts";
import { reportExperiment } from "../pipeline/results/report.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import { buildChain } from "../pipeline/stage/chain.ts";
import type { Experiment } from "../screen/experiment.ts";
import { stages, usualChain } from "../stages/built-in.ts";
import { adaptBundle } from "../training/adapt/adapt-bundle.ts";
import { adaptRecipeSchema } from "../training/adapt/adapt-recipe.ts";
import type { Bench } from "./figure.ts";
import { heldOut } from "./held-out.ts";

/** `BENCH_EXPERIMENTS=4` measures the first four only. */
const experiments = heldOut.slice(0, Number(process.env.BENCH_EXPERIMENTS ?? heldOut.length));
const signal = new AbortController().signal;

const accuracyOf = async (experiment: Experiment, model: string): Promise<number> => {
  const config = parseRunConfig({ data: "unused", model }, "bench", usualChain);
  const workers = await openWorkers(config, () => undefined);
  try {
    const chain = await buildChain(config.stages, stages, process.cwd());
    const run = { chain, workers, memoryBytes: 2 ** 30, attempt: 1, signal, onStatus: () => undefined };
    const { report } = reportExperiment(await runExperiment({ experiment, ...run }));
    return report.accuracy["plate-groups"]!.accuracy;
  } finally {
    await workers.close();
  }
};

export const adapt: Bench = {
  name: "adapt",
  description: `the demo's bundle adapted to each of ${experiments.length} held-out synthetic experiments without their labels, against the same bundle as it ships; aim: 70 % of its errors gone, at most 180 s each`,
  async run(report, log) {
    const data = join(tmpdir(), "platestream-bench-ladder");
    await synthesise(data, { experiments }, { signal, onProgress: () => undefined });
    const dataset = await openDataset(data);
    const model = packageFile("models/demo");
    const [before, after, seconds]: [number[], number[], number[]] = [[], [], []];
    for (const id of experiments) {
      const out = await mkdtemp(join(tmpdir(), "platestream-bench-adapt-"));
      const experiment = await dataset.load(id);
      const started = Date.now();
      await adaptBundle(dataset, {
        recipe: adaptRecipeSchema.parse({}),
        model,
        out,
        experiments: [id],
        provider: "cpu",
        threads: availableParallelism(),
        cacheBytes: 2 ** 30,
        stop: signal,
        onRound: () => undefined,
      });
      seconds.push((Date.now() - started) / 1000);
      before.push(await accuracyOf(experiment, model));
      after.push(await accuracyOf(experiment, out));
      await rm(out, { recursive: true });
      log(`${id}: ${before.at(-1)} before, ${after.at(-1)} after, ${seconds.at(-1)!.toFixed(0)} s`);
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [value, reference] = [mean(after), mean(before)];
    report({ figure: "ladder.adapted", value, unit: "of wells", reference, ratio: value / reference });
    const errors = { value: 1 - value, reference: 1 - reference };
    report({ figure: "ladder.adapted-errors", ...errors, unit: "of wells", ratio: errors.value / errors.reference });
    report({ figure: "adapt.seconds", value: mean(seconds), unit: "s", reference: 180, ratio: 180 / mean(seconds) });
  },
};
