import { Command } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
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
    .option(
      "--fit-confidence",
      "calibrate the confidence of the bundle's calls on these experiments, which it must not have been trained on; changes the bundle",
    )
    .option("--reliability <file.svg>", "write a picture of how often calls are right, by their confidence")
    .option("--plot <file.svg>", "write a picture of the ladder")
    .option("--markdown <file.md>", "write the table as Markdown")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Accuracies are on wells, treatments only, averaged over experiments, with 95 % confidence intervals over experiments;
of fewer than three, over wells. Images are batched and calibrated as the bundle says unless --set says otherwise.

Examples:
  pipeline evaluate --data held-out --model models/demo --plot ladder.svg
  pipeline evaluate --data rxrx1 --model models/mine --before models/mine/training/before-mixup --markdown ladder.md
  pipeline evaluate --data rxrx1 --model models/mine --experiment HUVEC-18 --json`,
    )
    .action(async (options: EvaluateOptions) => {
      const { evaluateBundle } = await import("./action.ts");
      await evaluateBundle(options);
    });
