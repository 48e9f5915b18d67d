import { Command } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { withBusSecurity, withClientSecurity } from "../parts/security-options.ts";
import type { SubmitOptions } from "./action.ts";

/** `pipeline submit`: queues experiments for the nodes of a bus. */
export const command = (): Command =>
  withDatasetOptions(withClientSecurity(withBusSecurity(new Command("submit"))))
    .description("queue experiments for the nodes of a bus")
    .argument("[experiments...]", "experiments of the dataset; without any, all of it")
    .option("-b, --bus <url>", "NATS server of the bus, nats://HOST:PORT[/NAMESPACE]")
    .option("-g, --gateway <host:port>", "gateway to the bus, instead of --bus")
    .requiredOption("-d, --data <dir>", "folder of the dataset, where the nodes see it as well")
    .option("--json", "write the counts as one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  pipeline submit --bus nats://10.0.0.2 --data /data/rxrx1
  pipeline submit --bus nats://10.0.0.2 --data /data/rxrx1 HUVEC-18 RPE-09
  pipeline submit --gateway gate:7412 --tls-ca lab-ca.pem --token-file submit.token --data /data/rxrx1

Submitting again is harmless: what is queued, running or done is not queued again, what failed is.
While the queue is full the command waits.`,
    )
    .action(async (experiments: string[], options: SubmitOptions) => {
      const { submitExperiments } = await import("./action.ts");
      await submitExperiments(experiments, options);
    });
