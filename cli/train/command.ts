import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { providerNames } from "../../gpu-worker/runtime/runtimes.ts";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { TrainFlags } from "./action.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

const minutes = (text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0 && text.trim() !== "") return value;
  throw new InvalidArgumentError("It is a number, 0 or more.");
};

/** `pipeline train`: from a dataset to a bundle. */
export const command = (): Command =>
  withDatasetOptions(new Command("train"))
    .description("train the networks of a bundle, one per cell type")
    .requiredOption("-d, --data <dir>", "labelled dataset: RxRx1, Kaggle, WILDS, or a table")
    .option("-r, --recipe <file>", "what is learnt and how; a name without / is looked up in recipes/", "brodt")
    .requiredOption("-o, --out <dir>", "folder of the bundle; one that is there gets the new networks")
    .option("--name <name>", "what clients call the bundle (default: the name of its folder)")
    .option("--cell-type <name>", "train this one; may be given several times (default: all)", collect)
    .option(
      "-e, --experiment <id>",
      "use this experiment only, to learn from or to hold out; may be given several times (default: all)",
      collect,
    )
    .option(
      "--validation <experiment>",
      "experiment to hold out; may be given several times (default: the last labelled one of every cell type)",
      collect,
    )
    .addOption(
      new Option("--runtime <name>", "library that computes; tfjs needs packages of its own (docs/gpu.md)")
        .choices(["onnxruntime", "tfjs"])
        .default("onnxruntime"),
    )
    .addOption(
      new Option("--provider <name>", "what it computes on; tfjs trains on webgpu and tensorflow")
        .choices(providerNames)
        .default("cpu"),
    )
    .option("--threads <n>", "threads that one operation is spread over", atLeast(1), availableParallelism())
    .option("--cache-mib <MiB>", "decoded images that are kept in memory", atLeast(0), 4096)
    .option("--checkpoint-minutes <minutes>", "between checkpoints within an epoch", minutes, 10)
    .addHelpText(
      "after",
      `
Examples:
  pipeline train --data rxrx1 --out models/rxrx1
  pipeline train --data rxrx1 --recipe my.yaml --out models/mine --cell-type HUVEC --validation HUVEC-16
  pipeline train --data synthetic --recipe demo --out models/demo
  pipeline train --data screen --recipe small --out models/first --experiment screen-01      # nothing is held out
  pipeline train --data rxrx1 --out models/rxrx1 --runtime tfjs --provider webgpu

Checkpoints, metrics.jsonl and curves.svg are in <out>/training/<cell type>. Ctrl-C writes a checkpoint and ends; the
same command goes on from there, with the same result.`,
    )
    .action(async (flags: TrainFlags) => {
      const { runTraining } = await import("./action.ts");
      await runTraining(flags);
    });
