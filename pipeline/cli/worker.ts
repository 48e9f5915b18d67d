import { Command, Option } from "commander";
import { atLeast } from "./whole-number.ts";

export interface WorkerOptions {
  readonly model: string[];
  readonly listen: string;
  readonly insecureListen?: boolean;
  readonly provider: "auto" | "cpu" | "cuda" | "webgpu";
  readonly threads: number;
  readonly maxBatch: number;
  readonly sessions: number;
  readonly maxMessage: number;
  readonly json?: boolean;
  readonly exitWithParent?: boolean;
}

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline worker`: serves bundles over gRPC until it is told to end. */
export const workerCommand = (): Command =>
  new Command("worker")
    .description("serve the networks of one or several bundles over gRPC")
    .requiredOption("-m, --model <dir>", "bundle; may be given several times", collect)
    .option("-l, --listen <host:port>", "where to listen; port 0 takes any that is free", "127.0.0.1:7411")
    .option("--insecure-listen", "allow --listen on an address that other hosts can reach: nothing is encrypted")
    .addOption(
      new Option("--provider <name>", "what computes; auto takes the first of cuda, webgpu and cpu that runs")
        .choices(["auto", "cpu", "cuda", "webgpu"])
        .default("auto"),
    )
    .option("--threads <n>", "threads that one operation is spread over; 0 is one per core", atLeast(0), 0)
    .option("--max-batch <images>", "largest batch that is taken", atLeast(1), 128)
    .option("--sessions <n>", "networks kept ready at once, one per kind of statistics", atLeast(1), 8)
    .option("--max-message <MiB>", "largest message in either direction", atLeast(1), 256)
    .option("--json", "say that it is ready in one line of JSON")
    .option("--exit-with-parent", "end when stdin closes, and leave Ctrl-C to whoever started it")
    .addHelpText(
      "after",
      `
Examples:
  pipeline worker --model models/mine
  pipeline worker --model models/mine --listen 127.0.0.1:0 --json
  pipeline worker --model models/mine --listen 10.0.0.5:7411 --insecure-listen --provider cuda

Clients need proto/platestream.proto only; the standard health service and reflection answer as well.
Ctrl-C finishes the calls that are under way and ends.`,
    )
    .action(async (options: WorkerOptions) => {
      const { runWorker } = await import("./run-worker.ts");
      await runWorker(options);
    });
