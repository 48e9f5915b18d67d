import { Command, Option } from "commander";
import { layouts } from "../../datasets/layouts.ts";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { withOperations } from "../parts/observe-options.ts";
import { withBusSecurity, withClientSecurity, withServerSecurity } from "../parts/security-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { StartOptions } from "./read-config.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline start`: runs the given experiments to their end; without any, the demo. */
export const command = (): Command =>
  withDatasetOptions(withOperations(withServerSecurity(withBusSecurity(withClientSecurity(new Command("start"))))))
    .description("call every well of some experiments; without --data or --config, of synthetic ones that it generates")
    .option("-c, --config <file>", "YAML file with any of the options below and the chain of stages")
    .option(
      "-d, --data <dir>",
      `folder of the dataset, or its table: ${layouts.map(({ description }) => description).join(", ")}`,
    )
    .option("-e, --experiment <id>", "run this experiment only; may be given several times", collect)
    .option(
      "-o, --out <dir>",
      'folder for the results (default: "runs/latest"); an interrupted run goes on where it was',
    )
    .option("-m, --model <dir>", "bundle for a worker that this command starts and ends")
    .option(
      "-w, --worker <address>",
      "worker that runs already, HOST:PORT, or a model of NVIDIA Triton, triton://HOST:PORT/MODEL; may be given several times (default with --bus: those that announce themselves there)",
      collect,
    )
    .addOption(
      new Option(
        "--adapt [recipe]",
        "let a copy of the bundle learn from every experiment, without its labels, before it is called, see `pipeline adapt`",
      ).preset("adapt"),
    )
    .option(
      "--adapt-with <dir>",
      "with --adapt: labelled dataset that the bundle was trained on, mixed in while learning",
    )
    .addOption(
      new Option("--statistics <kind>", "BatchNorm statistics, same as --set infer.statistics=KIND").choices([
        "calibrated",
        "batch",
        "running",
      ]),
    )
    .addOption(
      new Option("--strategy <name>", "how wells are called, same as --set plate-assign.strategy=NAME").choices([
        "argmax",
        "once-per-experiment",
        "balanced",
        "plate-groups",
      ]),
    )
    .option(
      "--min-confidence <p>",
      "leave calls open that are less certain to be right, same as --set plate-assign.minConfidence=P",
    )
    .option("-s, --set <stage.option=value>", "set one option of a stage; may be given several times", collect, [])
    .option("--memory <MiB>", "memory that decoded pixels may take (default: 1024)")
    .option("--fresh", "forget what an earlier run left in the results' folder")
    .option("-b, --bus <url>", "consume experiments from this bus until stopped, nats://HOST:PORT[/NAMESPACE]")
    .option(
      "--data-root <dir>",
      "with --bus: experiments must lie under it; an address (s3://bucket) allows images there; may be given several times",
      collect,
    )
    .option("--node <name>", "with --bus: name of this node (default: host name and process number)")
    .option("--until-empty", "with --bus: stop when no experiment is left that this node can call")
    .option(
      "--bus-replicas <n>",
      "with --bus: from now on, keep everything on so many servers of its cluster",
      atLeast(1),
    )
    .option(
      "--lost-after <seconds>",
      "with --bus: silence of a node after which others take its experiments; the same for all nodes (default: 30)",
      atLeast(1),
    )
    .option(
      "--results-listen <host:port>",
      "serve calls and states to subscribers while they appear, see `pipeline results`; --tokens and limits are for them",
    )
    .addOption(
      new Option(
        "--view [host:port]",
        "show the plates in a browser while they are called, with --bus those of all nodes; see `pipeline view`",
      ).preset("127.0.0.1:8080"),
    )
    .option("--json", "write every event as one line of JSON, the last one with the summary")
    .addHelpText(
      "after",
      `
Examples:
  pipeline start
  pipeline start --data rxrx1 --model models/mine --experiment HUVEC-18
  pipeline start --data rxrx1 --worker gpu1:7411 --worker gpu2:7411 --out runs/two-gpus
  pipeline start --data rxrx1 --worker triton://gpu1:8001/mine.HUVEC    see \`pipeline model export --repository\`
  pipeline start --data rxrx1 --worker gpu1:7411 --tls-ca lab-ca.pem --token-file predict.token
  pipeline start --data plates/load_data.csv --model models/mine --set batch-by-experiment.within=experiment
  pipeline start --data new-screen --model models/mine --adapt --adapt-with old-screens
  pipeline start --bus nats://10.0.0.2 --data-root /data --model models/mine --adapt      a node that adapts what it takes
  pipeline start --config run.yaml --json | jq .type
  pipeline start --data rxrx1 --model models/mine --results-listen 127.0.0.1:7413
  pipeline start --view                                         the demo, in a browser
  pipeline start --bus nats://10.0.0.2 --data-root /data --out /results/node-1

Ctrl-C finishes the experiments that are running and stops; SIGTERM the same, within --grace seconds. A second of either
stops at once, a third ends the process whatever runs. In every case the same command goes on where the run stopped. Without --bus, log lines take the place of the
progress when --log-format or --log-level is given.`,
    )
    .action(async (options: StartOptions) => {
      const { startRun } = await import("./action.ts");
      process.exitCode = await startRun(options);
    });
