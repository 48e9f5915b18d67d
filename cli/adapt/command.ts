import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { AdaptFlags } from "./action.ts";

/** `pipeline adapt`: a bundle learns from new experiments, without their labels. */
export const command = (): Command =>
  withDatasetOptions(new Command("adapt"))
    .description("fine-tune a bundle on experiments whose treatments nobody has labelled")
    .argument("[experiment...]", "experiments to learn from (default: all of the dataset)")
    .requiredOption("-d, --data <dir>", "dataset with the experiments; labels of its treatment wells are not read")
    .requiredOption("-m, --model <dir>", "bundle to start from; it stays as it is")
    .requiredOption("-o, --out <dir>", "folder of the new bundle")
    .option("--with <dir>", "labelled dataset that the bundle was trained on, mixed in, so that it is not forgotten")
    .option("-r, --recipe <file>", "how to learn; a name without / is looked up in recipes/", "adapt")
    .addOption(new Option("--provider <name>", "execution provider").choices(["cpu", "cuda", "webgpu"]).default("cpu"))
    .option("--threads <n>", "threads that one operation is spread over", atLeast(1), availableParallelism())
    .option("--cache-mib <MiB>", "decoded images that are kept in memory", atLeast(0), 4096)
    .option("--json", "print the report as one JSON object")
    .addHelpText(
      "after",
      `
It learns from the experiment's controls, whose identity every lab knows, and from its treatment wells with the
probabilities that their classes have given the plates' design. It ends early when the calls no longer change. The new bundle is for these experiments; call them with it as with any other.

Examples:
  pipeline adapt --data new-screen --model models/mine --out models/mine-adapted
  pipeline adapt --data rxrx1 --model models/rxrx1 --out models/huvec-18 --with rxrx1 HUVEC-18
  pipeline start --data new-screen --model models/mine-adapted

Ctrl-C ends after the round that is running; the same command goes on from there, with the same result.`,
    )
    .action(async (experiments: string[], flags: AdaptFlags) => {
      const { runAdaptation } = await import("./action.ts");
      await runAdaptation(experiments, flags);
    });
