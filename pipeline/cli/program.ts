/** The command line. Command files import what is heavy inside their actions, so that `pipeline --help` is instant. */
import { readFileSync } from "node:fs";
import { Command, type CommanderError } from "commander";
import { PlatestreamError } from "../../proto/errors.ts";
import { packageFile } from "../../proto/package-file.ts";
import { dataCommand } from "./data.ts";
import { deadLettersCommand } from "./dead-letters.ts";
import { evaluateCommand } from "./evaluate.ts";
import { gatewayCommand } from "./gateway.ts";
import { modelCommand } from "./model.ts";
import { resultsCommand } from "./results.ts";
import { stagesCommand } from "./stages.ts";
import { startCommand } from "./start.ts";
import { statusCommand } from "./status.ts";
import { submitCommand } from "./submit.ts";
import { tokenCommand } from "./token.ts";
import { trainCommand } from "./train.ts";
import { workerCommand } from "./worker.ts";

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
