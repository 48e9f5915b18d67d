/** The command line. Command files import what is heavy inside their actions, so that `pipeline --help` is instant. */
import { readFileSync } from "node:fs";
import { Command, type CommanderError } from "commander";
import { PlatestreamError } from "../common/errors.ts";
import { packageFile } from "../common/package-file.ts";
import { commands } from "./commands.ts";

const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };

export const program = async (): Promise<Command> => {
  const pipeline = new Command("pipeline")
    .description("Calls the perturbation in every well of a high-content screen, across batch effects.")
    .version(version)
    .addHelpText(
      "after",
      `
Examples:
  pipeline start                                    the demo: generates synthetic experiments and calls them
  pipeline start --data rxrx1 --model models/mine   your experiments, with your bundle
  pipeline stages inspect infer                     what a stage does and its options

Exit codes: 0 all went well, 1 something failed while it ran, 2 wrong input, 130 interrupted.`,
    );
  for (const { command } of await Promise.all(commands)) pipeline.addCommand(command());
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
