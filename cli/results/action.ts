/** What `pipeline results` does. */
import { once } from "node:events";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import type { ClientSecurityOptions } from "../../common/grpc/client-security.ts";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import type { BusSecurityOptions } from "../../pipeline/bus/nats/security.ts";
import type { EventFilter, kinds, Numbered } from "../../pipeline/events/event.ts";
import { readFileEvents } from "../../pipeline/events/file.ts";
import type { EventStore } from "../../pipeline/events/store.ts";
import { subscribe } from "../../pipeline/events/subscription-client.ts";
import { interruptible } from "../parts/interruptible.ts";
import { withBus } from "../parts/with-bus.ts";

export interface ResultsFlags extends ClientSecurityOptions, BusSecurityOptions {
  readonly server?: string;
  readonly bus?: string;
  readonly run: string;
  readonly follow?: boolean;
  readonly from?: "now" | "start" | number;
  /** Seconds */
  readonly giveUp: number;
  readonly experiment: string[];
  readonly cellType: string[];
  readonly plate: string[];
  readonly kind: (typeof kinds)[number][];
  readonly json?: boolean;
}

export const showResults = async (flags: ResultsFlags): Promise<void> => {
  const { experiment, cellType, plate, kind, json = false } = flags;
  const filter: EventFilter = { experiments: experiment, cellTypes: cellType, plates: plate, kinds: kind };
  const { drain, signal, close } = interruptible(() => undefined);
  const leaving = AbortSignal.any([drain, signal]);
  const line = json ? jsonLine : tableLine;
  if (!json && process.stdout.isTTY) process.stdout.write(header);
  try {
    await eachEvent(flags, filter, leaving, async (event) => {
      if (!process.stdout.write(line(event))) await once(process.stdout, "drain", { signal: leaving }).catch(() => {});
    });
  } finally {
    close();
  }
};

type Show = (event: Numbered) => Promise<void>;

const eachEvent = async (flags: ResultsFlags, filter: EventFilter, signal: AbortSignal, show: Show): Promise<void> => {
  const { server, bus, run, follow = false, from = "start" } = flags;
  const storedOnly = !follow;
  if (server !== undefined) {
    const security = await readClientSecurity(flags);
    const onLost = (why: string) => void process.stderr.write(`${why}; trying again\n`);
    const giveUpMs = flags.giveUp * 1000;
    for await (const event of subscribe(server, security, filter, { from, storedOnly, giveUpMs, signal, onLost }))
      await show(event);
    return;
  }
  const all = async (store: Pick<EventStore, "follow" | "last">) => {
    const after = from === "start" ? 0 : from === "now" ? await store.last() : from;
    for await (const event of store.follow(filter, { after, storedOnly, signal })) await show(event);
  };
  if (bus !== undefined) return withBus({ ...flags, bus }, (parts) => all(natsEvents(parts)));
  await all(readFileEvents(await eventsOf(run, follow)));
};

const eventsOf = async (run: string, follow: boolean): Promise<string> => {
  const path = join(run, "events.jsonl");
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there)
    throw new PlatestreamError(
      "invalid-config",
      `${run} is not the results' folder of a run: it has no events.jsonl; say --run DIR, --server HOST:PORT or --bus URL`,
    );
  if (follow)
    throw new PlatestreamError(
      "invalid-config",
      "--follow needs the results service of a run (pipeline start --results-listen, then --server HOST:PORT) or --bus URL; " +
        "without --follow, what a run has published so far is read from its folder",
    );
  return path;
};

const jsonLine = ({ seq, value }: Numbered): string => `${JSON.stringify({ seq, ...value })}\n`;

const header = `${"number".padStart(8)}  ${"time".padEnd(8)}  ${"experiment".padEnd(14)} ${"plate well".padEnd(11)} treatment, probability and margin, or state\n`;

const tableLine = ({ seq, value }: Numbered): string => {
  const start = `${String(seq).padStart(8)}  ${value.at.slice(11, 19)}  ${value.experiment.padEnd(14)}`;
  if (value.kind === "state") return `${start} ${"".padEnd(11)} ${stateText(value)}\n`;
  const { plate, well, treatment, probability, margin, flags } = value;
  const flagged = flags.length === 0 ? "" : `  ${flags.join(", ")}`;
  return `${start} ${`${plate} ${well}`.padEnd(11)} ${treatment.padEnd(10)} ${probability.toFixed(3)} ${margin.toFixed(3)}${flagged}\n`;
};

const stateText = (event: Extract<Numbered["value"], { kind: "state" }>): string => {
  switch (event.state) {
    case "queued":
      return "queued";
    case "running":
      return `running${event.attempt > 1 ? `, attempt ${event.attempt}` : ""}`;
    case "waiting":
      return `attempt ${event.attempt} failed and is repeated: ${event.reason}`;
    case "done":
      return `done: ${event.calls} wells called in ${event.seconds.toFixed(1)} s`;
    case "failed":
      return `failed after ${event.attempts} attempts: ${event.reason}`;
  }
};
