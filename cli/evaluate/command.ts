import { Command } from "commander";
import { withDatasetOptions } from "../shared/dataset-options.ts";
import type { EvaluateOptions } from "./action.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline evaluate`: the ladder on labelled experiments. */
export const command = (): Command =>
  withDatasetOptions(new Command("evaluate"))
    .description(
      "score a bundle on labelled experiments, rung by rung: which statistics, how many sites, which assignment",
    )
    .requiredOption("-d, --data <dir>", "folder of the dataset")
    .requiredOption("-m, --model <dir>", "bundle")
    .option("--before <dir>", "the bundle as it was before the MixUp finetune, for the rung that compares them")
    .option("-e, --experiment <id>", "score this experiment only; may be given several times", collect)
    .option(
      "-s, --set <stage.option=value>",
      "set one option of a stage on every rung that does not set it itself; may be given several times",
      collect,
      [],
    )
    .option("--plot <file.svg>", "write a picture of the ladder")
    .option("--markdown <file.md>", "write the table as Markdown")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Accuracies are on wells, treatments only, averaged over experiments, with 95 % confidence intervals over experiments.

Calibration averages the statistics of batches: give it batches as large as in training where they fit.

Examples:
  pipeline evaluate --data held-out --model models/demo --plot ladder.svg
  pipeline evaluate --data rxrx1 --model models/mine --before models/mine/training/before-mixup --markdown ladder.md
  pipeline evaluate --data rxrx1 --model models/mine --experiment HUVEC-18 --json`,
    )
    .action(async (options: EvaluateOptions) => {
      const { evaluateBundle } = await import("./action.ts");
      await evaluateBundle(options);
    });
