/** The command line. Command files import what is heavy inside their actions, so that `pipeline --help` is instant. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { packageFile } from "../../proto/package-file.ts";

const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };

export const program = (): Command =>
  new Command("pipeline")
    .description("Calls the perturbation in every well of a high-content screen.")
    .version(version)
    .showHelpAfterError("(run with --help for usage and examples)");
