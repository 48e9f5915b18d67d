import { Command } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { withBusSecurity, withServerSecurity } from "../parts/security-options.ts";
import type { GatewayOptions } from "./action.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline gateway`: takes submissions over gRPC from clients that have no login at the bus. */
export const command = (): Command =>
  withDatasetOptions(withBusSecurity(withServerSecurity(new Command("gateway"))))
    .description("queue experiments for clients that have a token, but no login at the bus")
    .requiredOption("-b, --bus <url>", "NATS server of the bus, nats://HOST:PORT[/NAMESPACE]")
    .requiredOption("--data-root <dir>", "datasets must lie under it; may be given several times", collect)
    .option("-l, --listen <host:port>", "where to listen; port 0 takes any free port", "127.0.0.1:7412")
    .option("--json", "print one line of JSON when ready")
    .addHelpText(
      "after",
      `
Examples:
  pipeline gateway --bus nats://10.0.0.2 --data-root /data
  pipeline gateway --bus nats://10.0.0.2 --bus-creds submitter.yaml --data-root /data --listen 0.0.0.0:7412 \\
    --tls-cert gate.pem --tls-key gate.key --tokens tokens.yaml

Clients: pipeline submit --gateway HOST:PORT, or proto/submissions.proto in any language. A token needs the role submit.`,
    )
    .action(async (options: GatewayOptions) => {
      const { runGateway } = await import("./action.ts");
      await runGateway(options);
    });
