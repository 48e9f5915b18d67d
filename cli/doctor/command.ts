import { Command } from "commander";
import { atLeast } from "../parts/whole-number.ts";
import type { DoctorOptions } from "./action.ts";

/** `pipeline doctor`: what this machine has, what it lacks, and how fast it is. */
export const command = (): Command =>
  new Command("doctor")
    .description("check this machine: Node, image formats, limits, disk, every runtime and provider, images per second")
    .option("-m, --model <dir>", "bundle whose speed is measured (default: the demo's)")
    .option("--seconds <n>", "how long to measure; 0 leaves it out", atLeast(0), 10)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Exit code: 0 when everything that a run needs is there, 1 when something is missing.

Examples:
  pipeline doctor
  pipeline doctor --model models/rxrx1 --seconds 30
  pipeline doctor --seconds 0 --json`,
    )
    .action(async (options: DoctorOptions) => {
      const { examine } = await import("./action.ts");
      process.exitCode = await examine(options);
    });
