import { Command } from "commander";
import { withBusSecurity } from "../parts/security-options.ts";
import type { DeadLetterOptions } from "./action.ts";

const subcommand = (name: string, description: string): Command =>
  withBusSecurity(new Command(name))
    .description(description)
    .requiredOption("-b, --bus <url>", "NATS server of the bus, nats://HOST:PORT[/NAMESPACE]");

/** `pipeline dead-letters`: experiments that failed. */
export const command = (): Command =>
  new Command("dead-letters")
    .description("show experiments that failed, and queue them again")
    .addCommand(
      subcommand("list", "one line per experiment: attempts, stage and reason")
        .option("--json", "write each as a line of JSON")
        .addHelpText("after", "\nExamples:\n  pipeline dead-letters list --bus nats://10.0.0.2 --json")
        .action(async (options: DeadLetterOptions) => {
          const { listLetters } = await import("./action.ts");
          await listLetters(options);
        }),
    )
    .addCommand(
      subcommand("show", "all that is known about one")
        .argument("<experiment>", "its id")
        .addHelpText("after", "\nExamples:\n  pipeline dead-letters show HUVEC-18 --bus nats://10.0.0.2")
        .action(async (experiment: string, options: DeadLetterOptions) => {
          const { showLetter } = await import("./action.ts");
          await showLetter(experiment, options);
        }),
    )
    .addCommand(
      subcommand("replay", "queue them again, with all their attempts")
        .argument("[experiments...]", "their ids; without any, all")
        .addHelpText("after", "\nExamples:\n  pipeline dead-letters replay HUVEC-18 --bus nats://10.0.0.2")
        .action(async (experiments: string[], options: DeadLetterOptions) => {
          const { replayLetters } = await import("./action.ts");
          await replayLetters(experiments, options);
        }),
    )
    .addHelpText(
      "after",
      `
Examples:
  pipeline dead-letters list --bus nats://10.0.0.2
  pipeline dead-letters show HUVEC-18 --bus nats://10.0.0.2
  pipeline dead-letters replay HUVEC-18 --bus nats://10.0.0.2`,
    );
