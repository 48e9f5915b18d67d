import { Command } from "commander";
import { withBusSecurity } from "../parts/security-options.ts";
import { atLeast } from "../parts/whole-number.ts";

/** `pipeline repair`: gives a bus back what its server has lost. */
export const command = (): Command =>
  withBusSecurity(new Command("repair"))
    .description("restore on a bus what its server has lost, from the results' folders of its nodes")
    .requiredOption("-b, --bus <url>", "NATS server of the bus, nats://HOST:PORT[/NAMESPACE]")
    .option(
      "-r, --results <dir>",
      "results' folder of a node; may be given several times",
      (value: string, previous: string[]) => [...previous, value],
      [],
    )
    .option("--bus-replicas <n>", "from now on, keep everything on so many servers of its cluster", atLeast(1))
    .addHelpText(
      "after",
      `
For a server that was restored from an older copy, lost its disk, or reports damage. Streams that are missing are made again.
What a folder holds is published again where the bus has lost it; experiments whose calls nobody holds are queued again.
It may run while nodes work, and does nothing where nothing is wrong.

Examples:
  pipeline repair --bus nats://10.0.0.2 --results /results/node-1 --results /results/node-2
  pipeline repair --bus nats://10.0.0.2 --bus-replicas 3`,
    )
    .action(async (options) => {
      const { repair } = await import("./action.ts");
      await repair(options);
    });
