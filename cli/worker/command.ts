import { Command, Option } from "commander";
import { providerNames, runtimeNames } from "../../gpu-worker/runtime/runtimes.ts";
import { withOperations } from "../parts/observe-options.ts";
import { withBusSecurity, withServerSecurity } from "../parts/security-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { WorkerOptions } from "./action.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline worker`: serves bundles over gRPC until it is asked to end. */
export const command = (): Command =>
  withOperations(withBusSecurity(withServerSecurity(new Command("worker"))))
    .description("serve the networks of one or several bundles over gRPC")
    .requiredOption("-m, --model <dir>", "bundle; may be given several times", collect)
    .option("-l, --listen <host:port>", "where to listen; port 0 takes any free port", "127.0.0.1:7411")
    .addOption(
      new Option("--runtime <name>", "library that computes; tfjs needs packages of its own (docs/gpu.md)")
        .choices(runtimeNames)
        .default("onnxruntime"),
    )
    .addOption(
      new Option(
        "--provider <name>",
        "execution provider; auto takes the first of the runtime that runs and passes the self-check",
      )
        .choices(["auto", ...providerNames])
        .default("auto"),
    )
    .addOption(
      new Option("--precision <type>", "of feature maps and weights; float16 is faster on GPUs that have it")
        .choices(["float32", "float16"])
        .default("float32"),
    )
    .option("--threads <n>", "threads that one operation is spread over; 0 is one per physical core", atLeast(0), 0)
    .option("--max-batch <images>", "largest batch that is taken", atLeast(1), 128)
    .option(
      "--best-batch <images>",
      "compute batches that wait under the same statistics together, up to so many images; 0: never (default: 32 on graphics cards, 0 on processors)",
      atLeast(0),
    )
    .option("--queue-memory <MiB>", "queue limit: pixels of waiting batches; more are refused", atLeast(1), 1024)
    .option("--sessions <n>", "networks kept ready at once, one per kind of statistics", atLeast(1), 8)
    .option("-b, --bus <url>", "announce the worker to the nodes of this bus, nats://HOST:PORT[/NAMESPACE]")
    .option(
      "--advertise <host:port>",
      "with --bus: where nodes reach it (default: the address of --listen; for 0.0.0.0 and [::] this machine's name)",
    )
    .option("--json", "print one line of JSON when ready")
    .option("--exit-with-parent", "end when stdin closes, and leave Ctrl-C to whoever started it")
    .addHelpText(
      "after",
      `
Examples:
  pipeline worker --model models/mine
  pipeline worker --model models/mine --listen 127.0.0.1:0 --json
  pipeline worker --model models/mine --provider cuda --listen 10.0.0.5:7411 --tls-cert gpu1.pem --tls-key gpu1.key
  pipeline worker --model models/mine --bus nats://10.0.0.2 --listen 0.0.0.0:7411 --insecure

Clients need proto/platestream.proto only; the standard health service and reflection answer as well.
SIGTERM and Ctrl-C: the worker refuses new calls, finishes those in progress within --grace seconds, and exits; a second
signal kills it.`,
    )
    .action(async (options: WorkerOptions) => {
      const { runWorker } = await import("./action.ts");
      await runWorker(options);
    });
