import { Command, Option } from "commander";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { withBusSecurity, withClientSecurity, withServerSecurity } from "../parts/security-options.ts";
import type { ViewFlags } from "./action.ts";

/** `pipeline view`: the plate map of a run, a bus or a results service, in a browser. */
export const command = (): Command =>
  withDatasetOptions(withBusSecurity(withClientSecurity(withServerSecurity(new Command("view")))))
    .description("look at plates in a browser, live or when a run has ended")
    .argument("[run]", "folder of a run, finished or still running")
    .addOption(
      new Option("-b, --bus <url>", "everything on a bus, nats://HOST:PORT[/NAMESPACE]").conflicts([
        "server",
        "beside",
      ]),
    )
    .addOption(
      new Option("-s, --server <host:port>", "everything that a results service publishes").conflicts("beside"),
    )
    .option("-l, --listen <host:port>", "where to serve the page; port 0 takes any that is free", "127.0.0.1:8080")
    .option("-d, --data <dir>", "dataset for pictures and layout (default: the one that the run was started with)")
    .option("--beside <run>", "another run of the same experiments, whose map of profiles is shown beside")
    .option("--json", "say where the page is in one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  pipeline view runs/today                                      a run's folder; it changes while the run goes on
  pipeline view runs/today --beside runs/running-statistics     the batch effect, before and after
  pipeline view --bus nats://10.0.0.2 --data /data/rxrx1        all nodes of a bus
  pipeline view --server 10.0.0.7:7413 --token-file token       what a results service publishes
  pipeline view runs/today --listen 0.0.0.0:8443 --tls-cert view.pem --tls-key view.key --tokens tokens.yaml

The page is read only. With --tokens it asks for one with the role subscribe.`,
    )
    .action(async (run: string | undefined, flags: ViewFlags) => {
      const { runView } = await import("./action.ts");
      await runView(run, flags);
    });
