import { Command } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import type { CheckFlags } from "./action.ts";

/** `pipeline check`: what is wrong with experiments before anybody believes their calls. */
export const command = (): Command =>
  withDatasetOptions(new Command("check"))
    .description("look for swapped or turned plates, swapped wells, odd controls, and images out of focus")
    .argument("[experiment...]", "experiments to look at (default: all of the dataset)")
    .requiredOption("-d, --data <dir>", "dataset whose table says what its wells should hold")
    .option("-m, --model <dir>", "bundle that says what they look like; without it images alone are looked at")
    .option("--wells <file.csv>", "write a row per well: brightness, contrast, focus and saturation, and its flags")
    .option("--json", "print one JSON object per experiment")
    .addHelpText(
      "after",
      `
Layouts are compared with what the bundle sees: plates swapped or turned by 180 degrees, filled a row or a column off, of
another experiment, and pairs of wells that were swapped, each with its probability. Nothing is changed.

Examples:
  pipeline check --data new-screen --model models/mine
  pipeline check --data new-screen --wells quality.csv
  pipeline check --data rxrx1 --model models/rxrx1 HUVEC-18 --json

Exit codes: 0 nothing was found, 1 something was.`,
    )
    .action(async (experiments: string[], flags: CheckFlags) => {
      const { runCheck } = await import("./action.ts");
      process.exitCode = await runCheck(experiments, flags);
    });
