import { Command, InvalidArgumentError, Option } from "commander";
import { kinds } from "../../pipeline/events/event.ts";
import { withBusSecurity, withClientSecurity } from "../parts/security-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { ResultsFlags } from "./action.ts";

const collect = (value: string, previous: string[]): string[] => [...previous, value];

const place = (text: string): "now" | "start" | number => {
  if (text === "now" || text === "start") return text;
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError("It is now, start, or the sequence number to go on after, less than 2^53.");
};

/** `pipeline results`: calls and states, while they appear or afterwards. */
export const command = (): Command =>
  withBusSecurity(withClientSecurity(new Command("results")))
    .description("show calls and states of experiments, and with --follow those that come")
    .addOption(
      new Option("-r, --server <host:port>", "results service of a run or a node (its --results-listen)").conflicts(
        "bus",
      ),
    )
    .option("-b, --bus <url>", "NATS server of a bus, nats://HOST:PORT[/NAMESPACE]")
    .option("--run <dir>", "without --server and --bus: results' folder of a run", "runs/latest")
    .option("-f, --follow", "go on with those that come, through lost connections, until Ctrl-C or the end of the run")
    .addOption(
      new Option("--from <place>", "now, start, or the sequence number to go on after")
        .argParser(place)
        .default(undefined, "start"),
    )
    .addOption(
      new Option("--give-up <seconds>", "how long a --server that was reached may be away, until it counts as gone")
        .argParser(atLeast(0))
        .default(60),
    )
    .option("-e, --experiment <id>", "only this one; may be given several times, as all of these", collect, [])
    .option("--cell-type <name>", "only experiments of it", collect, [])
    .option("--plate <name>", "only calls of wells on it", collect, [])
    .addOption(
      new Option("--kind <kind>", `only these: ${kinds.join(" or ")}`)
        .argParser((value: string, previous: string[]) => {
          if (!kinds.some((kind) => kind === value)) throw new InvalidArgumentError(`It is ${kinds.join(" or ")}.`);
          return [...previous, value];
        })
        .default([], "both"),
    )
    .option("--json", "one line of JSON per event, with its sequence number")
    .addHelpText(
      "after",
      `
Every event has a sequence number, in the first column. A client that goes on after the last one it saw misses nothing and gets nothing twice.
probability is the network's own output for the class called, one sigmoid per class: over classes they do not add up to 1. How
likely the call is right is its confidence (--json, calls.csv).

Examples:
  pipeline results --run runs/today --kind state
  pipeline results --server 127.0.0.1:7413 --follow
  pipeline results --bus nats://10.0.0.2 --follow --from now --cell-type HUVEC
  pipeline results --bus nats://10.0.0.2 --follow --from 41207 --json >> events.jsonl`,
    )
    .action(async (flags: ResultsFlags) => {
      const { showResults } = await import("./action.ts");
      await showResults(flags);
    });
