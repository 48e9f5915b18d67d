import { Command } from "commander";
import { withBusSecurity } from "../parts/security-options.ts";
import type { StatusOptions } from "./action.ts";

/** `pipeline status`: what a bus holds and who works on it. */
export const command = (): Command =>
  withBusSecurity(new Command("status"))
    .description("show what is queued, running (where, how far), done and failed on a bus, its nodes and workers")
    .requiredOption("-b, --bus <url>", "NATS server of the bus, nats://HOST:PORT[/NAMESPACE]")
    .option("-w, --watch", "show it again every second, until Ctrl-C")
    .option("--json", "write everything as one line of JSON, experiments included")
    .addHelpText(
      "after",
      `
Examples:
  pipeline status --bus nats://10.0.0.2
  pipeline status --bus nats://10.0.0.2 --watch
  pipeline status --bus nats://10.0.0.2 --json | jq .counts`,
    )
    .action(async (options: StatusOptions) => {
      const { showStatus } = await import("./action.ts");
      await showStatus(options);
    });
