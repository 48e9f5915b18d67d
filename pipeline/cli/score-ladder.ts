/** Scores a bundle rung by rung on experiments of a dataset, with a line on the terminal that says how far it is. */
import type { Dataset } from "../../datasets/open.ts";
import { stages } from "../../stages/index.ts";
import { buildChain } from "../chain.ts";
import { type RunConfig, withSettings } from "../config.ts";
import { type Evaluation, type EvaluationOptions, evaluate } from "../evaluation/evaluate.ts";
import { progressLine } from "./progress-line.ts";

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
      chainFor: (settings) => buildChain(withSettings(config.stages, settings), stages, process.cwd()),
      memoryBytes: config.memoryMiB * 2 ** 20,
      onPass: (experiment, pass, _, done, all) => line.next(done, all, `${experiment}: ${pass}`),
    });
  } finally {
    line.close();
  }
};
