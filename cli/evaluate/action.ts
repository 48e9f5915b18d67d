/** What `pipeline evaluate` does: every rung, on experiments of a dataset, with workers of its own. */
import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { ladderChart } from "../../evaluation/chart.ts";
import type { Evaluation } from "../../evaluation/evaluate.ts";
import { reliabilityChart } from "../../evaluation/reliability-chart.ts";
import { parseRunConfig, withSettings } from "../../pipeline/config.ts";
import { usualChain } from "../../stages/built-in.ts";
import { choose } from "../parts/choose-experiments.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { fitConfidenceOf } from "../parts/fit-confidence.ts";
import { interruptible } from "../parts/interruptible.ts";
import { openForCommand } from "../parts/open-dataset.ts";
import { type OpenWorkers, openWorkers } from "../parts/open-workers.ts";
import { ladderMarkdown, ladderTable } from "./ladder-table.ts";
import { scoreLadder } from "./score-ladder.ts";

export interface EvaluateOptions extends DatasetOptions {
  readonly data: string;
  readonly model: string;
  readonly before?: string;
  readonly experiment?: string[];
  readonly set: string[];
  readonly fitConfidence?: boolean;
  readonly reliability?: string;
  readonly plot?: string;
  readonly markdown?: string;
  readonly json?: boolean;
}

export const evaluateBundle = async (options: EvaluateOptions): Promise<void> => {
  const { data, model, before, experiment, set, plot, reliability, markdown, json, fitConfidence } = options;
  const dataset = await openForCommand(data, options);
  const experiments = choose(dataset, experiment ?? []);
  const parsed = parseRunConfig({ data, model: resolve(model) }, "the command line", usualChain);
  const config = { ...parsed, stages: withSettings(parsed.stages, set) };
  const { drain, signal, close } = interruptible(() => undefined);
  const opened: OpenWorkers[] = [];
  const open = async (bundle: string): Promise<OpenWorkers> => {
    const workers = await openWorkers({ ...config, model: resolve(bundle) }, () => undefined);
    opened.push(workers);
    return workers;
  };
  try {
    if (fitConfidence) {
      const wanted = { dataset, experiments: experiments.map(({ id }) => id), judged: model, bundle: model };
      const said = await fitConfidenceOf({ ...wanted, signal: AbortSignal.any([drain, signal]) });
      const note =
        "note: confidence is scored below on the wells that it was fitted to; other experiments show what it is worth";
      process.stderr.write(`${said.join("\n")}\n${note}\n`);
    }
    const evaluation = await scoreLadder(dataset, config, {
      experiments,
      workers: { model: await open(model), before: before === undefined ? undefined : await open(before) },
      signal: AbortSignal.any([drain, signal]),
    });
    if (plot !== undefined) await writeFile(plot, ladderChart(evaluation, captionOf(evaluation, model)));
    if (reliability !== undefined && evaluation.belief !== undefined) {
      await writeFile(reliability, reliabilityChart(evaluation.belief, captionOf(evaluation, model)));
    }
    if (markdown !== undefined) await writeFile(markdown, ladderMarkdown(evaluation));
    process.stdout.write(json ? `${JSON.stringify(evaluation)}\n` : ladderTable(evaluation));
  } finally {
    close();
    await Promise.all(opened.map((workers) => workers.close()));
  }
};

/** Names what was scored; the accuracy of chance, so that bars near it are seen as what they are. */
const captionOf = ({ experiments }: Evaluation, model: string): string => {
  const names = experiments.map(({ id }) => id);
  const shown =
    names.length > mostNames ? [...names.slice(0, mostNames - 1), `${names.length - mostNames + 1} more`] : names;
  return `${shown.join(", ")}; bundle ${basename(resolve(model))}; chance is one over the number of classes`;
};
const mostNames = 8;
