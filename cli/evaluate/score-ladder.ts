/** Scores a bundle rung by rung on experiments of a dataset, with a line on the terminal that says how far it is. */
import type { Dataset } from "../../datasets/open.ts";
import { type Evaluation, type EvaluationOptions, evaluate } from "../../evaluation/evaluate.ts";
import type { RunConfig } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { stages } from "../../stages/built-in.ts";
import { progressLine } from "../terminal/progress-line.ts";

export const scoreLadder = async (
  dataset: Dataset,
  config: Pick<RunConfig, "stages" | "memoryMiB">,
  options: Pick<EvaluationOptions, "experiments" | "workers" | "signal">,
): Promise<Evaluation> => {
  const line = progressLine("passes", process.stderr);
  try {
    return await evaluate({
      ...options,
      load: (id) => dataset.load(id),
      chainFor: (conditions) => buildChain(config.stages, stages, process.cwd(), conditions),
      memoryBytes: config.memoryMiB * 2 ** 20,
      onPass: (experiment, pass, _, done, all) => line.next(done, all, `${experiment}: ${pass}`),
    });
  } finally {
    line.close();
  }
};
