/** What `pipeline evaluate` does: every rung, on experiments of a dataset, with workers of its own. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { openDataset } from "../../datasets/open.ts";
import { stages } from "../../stages/index.ts";
import { buildChain } from "../chain.ts";
import { parseRunConfig, withSettings } from "../config.ts";
import { ladderChart } from "../evaluation/chart.ts";
import { type Evaluation, evaluate } from "../evaluation/evaluate.ts";
import { choose } from "./choose-experiments.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import { interruptible } from "./interruptible.ts";
import { ladderMarkdown, ladderTable } from "./ladder-table.ts";
import { type OpenWorkers, openWorkers } from "./open-workers.ts";

export const evaluateBundle = async (options: EvaluateOptions): Promise<void> => {
  const { data, model, before, experiment, plot, markdown, json } = options;
  const dataset = await openDataset(data);
  const experiments = choose(dataset, experiment ?? []);
  const config = parseRunConfig({ data, model: resolve(model) }, "the command line");
  const { drain, close } = interruptible(() => undefined);
  const opened: OpenWorkers[] = [];
  const open = async (bundle: string): Promise<OpenWorkers> => {
    const workers = await openWorkers({ ...config, model: resolve(bundle) }, () => undefined);
    opened.push(workers);
    return workers;
  };
  try {
    const evaluation = await evaluate({
      experiments,
      load: (id) => dataset.load(id),
      chainFor: (settings) => buildChain(withSettings(config.stages, settings), stages, process.cwd()),
      workers: { model: await open(model), before: before === undefined ? undefined : await open(before) },
      memoryBytes: config.memoryMiB * 2 ** 20,
      signal: drain,
      onPass: progressLine(),
    });
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    if (plot !== undefined) await writeFile(plot, ladderChart(evaluation, captionOf(evaluation, model, data)));
    if (markdown !== undefined) await writeFile(markdown, ladderMarkdown(evaluation));
    process.stdout.write(json ? `${JSON.stringify(evaluation)}\n` : ladderTable(evaluation));
  } finally {
    close();
    await Promise.all(opened.map((workers) => workers.close()));
  }
};

/** One line on a terminal, rewritten; nothing elsewhere. */
export const progressLine = (): ((
  experiment: string,
  pass: string,
  bundle: string,
  done: number,
  all: number,
) => void) => {
  const started = Date.now();
  return (experiment, pass, _, done, all) => {
    if (!process.stderr.isTTY) return;
    const left = done === 0 ? "" : `, ${Math.ceil((((Date.now() - started) / done) * (all - done)) / 1000)} s left`;
    process.stderr.write(`\r\u001b[Kscoring ${experiment}: ${pass} (${done + 1} of ${all}${left})`);
  };
};

const captionOf = ({ experiments }: Evaluation, model: string, data: string): string =>
  `${experiments.length} experiments of ${data}, bundle ${model}; chance is one over the number of classes`;
