/** The demo: synthetic experiments that the shipped bundle has never seen, called, and then scored rung by rung. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { packageFile } from "../../common/package-file.ts";
import { openDataset } from "../../datasets/open.ts";
import type { Evaluation } from "../../evaluation/evaluate.ts";
import { parseRunConfig } from "../../pipeline/config.ts";
import type { Workers } from "../../pipeline/workers/workers.ts";
import { usualChain } from "../../stages/built-in.ts";
import { writeSynthetic } from "../data/synth.ts";
import { scoreLadder } from "../evaluate/score-ladder.ts";
import { openWorkers } from "../parts/open-workers.ts";

/** Names that the demo's networks were not trained on; being functions of their names, they are fresh experiments. */
const demoExperiments = ["HUVEC-21", "RPE-21"] as const;

const bundle = (name: string): string => {
  const path = packageFile(`models/${name}`);
  if (!existsSync(path)) throw new PlatestreamError("invalid-model", `the demo's bundle is missing: ${path}`);
  return path;
};

/** Generates what is missing under `platestream-demo/` and returns the configuration of the run. */
export const prepareDemo = async (): Promise<{ data: string; model: string; out: string }> => {
  const model = bundle("demo");
  const data = resolve("platestream-demo", "data");
  process.stderr.write(`demo: ${demoExperiments.join(" and ")}, synthetic experiments never seen in training\n`);
  await writeSynthetic(data, { experiments: demoExperiments.join(","), cellTypes: "", count: "" });
  return { data, model, out: resolve("platestream-demo", "run") };
};

/** The same experiments on every rung of the ladder; `model` are the workers that hold the demo's bundle. */
export const scoreDemo = async (model: Workers, signal: AbortSignal): Promise<Evaluation> => {
  process.stderr.write("demo: the same wells again, with one step more on every line; Ctrl-C leaves\n");
  const data = resolve("platestream-demo", "data");
  const dataset = await openDataset(data);
  const experiments = dataset.experiments.filter(({ id }) => demoExperiments.some((name) => name === id));
  const config = parseRunConfig({ data, model: bundle("demo-before-mixup") }, "the demo", usualChain);
  const before = await openWorkers(config, () => undefined);
  try {
    return await scoreLadder(dataset, config, { experiments, workers: { model, before }, signal });
  } finally {
    await before.close();
  }
};
