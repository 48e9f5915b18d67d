/** The command line. Command files import what is heavy inside their actions, so that `pipeline --help` is instant. */
import { readFileSync } from "node:fs";
import { Command, type CommanderError } from "commander";
import { PlatestreamError } from "../common/errors.ts";
import { packageFile } from "../common/package-file.ts";
import { dataCommand } from "./data/command.ts";
import { deadLettersCommand } from "./dead-letters/command.ts";
import { evaluateCommand } from "./evaluate/command.ts";
import { gatewayCommand } from "./gateway/command.ts";
import { modelCommand } from "./model/command.ts";
import { resultsCommand } from "./results/command.ts";
import { stagesCommand } from "./stages/command.ts";
import { startCommand } from "./start/command.ts";
import { statusCommand } from "./status/command.ts";
import { submitCommand } from "./submit/command.ts";
import { tokenCommand } from "./token/command.ts";
import { trainCommand } from "./train/command.ts";
import { workerCommand } from "./worker/command.ts";

const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };

export const program = (): Command => {
  const pipeline = new Command("pipeline")
    .description("Calls the perturbation in every well of a high-content screen, across batch effects.")
    .version(version)
    .addCommand(startCommand())
    .addCommand(workerCommand())
    .addCommand(trainCommand())
    .addCommand(evaluateCommand())
    .addCommand(dataCommand())
    .addCommand(modelCommand())
    .addCommand(stagesCommand())
    .addCommand(submitCommand())
    .addCommand(gatewayCommand())
    .addCommand(statusCommand())
    .addCommand(resultsCommand())
    .addCommand(deadLettersCommand())
    .addCommand(tokenCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline start                                    the demo: synthetic experiments, called from PNG to siRNA
  pipeline start --data rxrx1 --model models/mine   your experiments, with your bundle
  pipeline stages inspect infer                     what a stage does and its options

Exit codes: 0 all went well, 1 something failed while it ran, 2 wrong input, 130 interrupted.`,
    );
  throwUsageErrors(pipeline, pipeline.name());
  return pipeline;
};

/** Makes what commander finds wrong with a command line an error like any other wrong input. */
const throwUsageErrors = (command: Command, path: string): void => {
  command.configureOutput({ outputError: () => undefined });
  command.exitOverride((error: CommanderError) => {
    if (error.exitCode === 0) return; // --help and --version have answered
    if (error.code === "commander.help") process.exit(2); // a group of commands without one of them: its help is shown
    const problem = error.message
      .replace(/^error: /, "")
      .replace(/\.$/, "")
      .replace(/\n\(D(.*)\)$/s, " (d$1)");
    throw new PlatestreamError("invalid-config", `${problem}; see \`${path} --help\``);
  });
  for (const each of command.commands) throwUsageErrors(each, `${path} ${each.name()}`);
};
