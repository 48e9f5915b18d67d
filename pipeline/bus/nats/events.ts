/** What happened, as a stream that anybody may follow: every call, and every change of an experiment's state. */
import type { Call } from "../../domain.ts";
import type { ExperimentResult } from "../../results/result.ts";
import type { Status } from "../../status.ts";
import { surely } from "./connection.ts";
import type { EventFilter } from "./names.ts";
import type { NatsBusParts } from "./open.ts";

interface About {
  readonly experiment: string;
  readonly cellType: string;
  /** Node that tells it. */
  readonly node: string;
  /** ISO 8601 */
  readonly at: string;
}

/** The answer for one well. Each is told once, however often its experiment was run. */
export interface CallEvent extends About {
  readonly kind: "call";
  readonly plate: string;
  readonly well: string;
  readonly sirna: string;
  readonly probability: number;
  readonly margin: number;
  readonly alternatives: Call["alternatives"];
  readonly strategy: string;
  readonly flags: readonly string[];
  readonly model: string;
  readonly statistics: string;
}

export type StateEvent = About & { readonly kind: "state" } & (
    | { readonly state: "queued" }
    | { readonly state: "started"; readonly attempt: number }
    | { readonly state: "retried"; readonly attempt: number; readonly reason: string }
    | { readonly state: "done"; readonly attempts: number; readonly calls: number; readonly seconds: number }
    | { readonly state: "given-up"; readonly attempts: number; readonly reason: string }
  );

export type BusEvent = CallEvent | StateEvent;

export interface Events {
  /** Stores all calls of an experiment, then that it is done; what is stored already stays as it is. */
  tellResult(result: ExperimentResult): Promise<void>;
  /** Stores a change of state; runs on by itself. */
  next(status: Status): void;
  /** Waits for what `next` was given. */
  settled(): Promise<void>;
}

/** Calls under way to the server at a time. */
const inFlight = 64;

/** What a node tells. Cell types of experiments are found with `cellTypeOf`. */
export const openEvents = (parts: NatsBusParts, node: string, cellTypeOf: (experiment: string) => string): Events => {
  const { streams } = parts;
  const { names } = streams;
  let telling: Promise<unknown> = Promise.resolve();
  const about = (experiment: string): About => ({
    experiment,
    cellType: cellTypeOf(experiment),
    node,
    at: new Date().toISOString(),
  });
  const tellState = (event: StateEvent, id: string): void => {
    const subject = names.event("state", event.cellType, event.experiment, event.state);
    telling = telling.then(() => streams.publish(subject, event, { id })).catch(() => undefined);
  };

  return {
    async tellResult(result) {
      const { id, cellType } = result.experiment;
      const waiting = [...result.calls];
      const tellCalls = async () => {
        for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
          const event = callEvent(call, about(id));
          const subject = names.event("call", cellType, id, event.plate, event.well);
          await streams.publish(subject, event, { id: `${id} ${event.plate} ${event.well}`, only: true });
        }
      };
      await Promise.all(Array.from({ length: inFlight }, tellCalls));
      const { attempts, seconds } = result;
      const done: StateEvent = {
        kind: "state",
        ...about(id),
        state: "done",
        attempts,
        seconds,
        calls: result.calls.length,
      };
      await streams.publish(names.event("state", cellType, id, "done"), done, { id: `${id} done`, only: true });
    },
    next(status) {
      if (status.type === "experiment-started") {
        const { experiment, attempt } = status;
        const event: StateEvent = { kind: "state", ...about(experiment), state: "started", attempt };
        tellState(event, `${experiment} started ${event.at}`);
      }
      if (status.type === "experiment-retried") {
        const { experiment, attempt, reason } = status;
        const event: StateEvent = { kind: "state", ...about(experiment), state: "retried", attempt, reason };
        tellState(event, `${experiment} retried ${event.at}`);
      }
      if (status.type === "experiment-failed") {
        const { experiment, attempts, reason } = status.failure;
        const event: StateEvent = { kind: "state", ...about(experiment), state: "given-up", attempts, reason };
        tellState(event, `${experiment} given-up ${event.at}`);
      }
    },
    settled: async () => void (await telling),
  };
};

/**
 * Follows events in the order of their sequence numbers, which grow and have gaps: from after number `after` on (0: from
 * the start), until aborted. Whoever goes on after the last number that it has seen misses nothing and sees nothing twice.
 * At most 200 events wait for a slow reader; the others stay on the server.
 */
export const followEvents = (
  { streams }: NatsBusParts,
  filter: EventFilter,
  { after, signal }: { readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<{ readonly seq: number; readonly value: BusEvent }> =>
  streams.follow<BusEvent>(streams.names.events, { subject: streams.names.eventsOf(filter), after, signal });

/** Number of the last event: following after it means from now on. */
export const lastEvent = async ({ nc, streams }: NatsBusParts): Promise<number> =>
  (await surely(nc, () => streams.manager.streams.info(streams.names.events))).state.last_seq;

const callEvent = (call: Call, about: About): CallEvent => {
  const { plate, well, model, statistics } = call.prediction;
  const { sirna, probability, margin, alternatives, strategy, flags } = call;
  const network = `${model.name} ${model.version}`;
  return {
    kind: "call",
    ...about,
    plate,
    well,
    sirna,
    probability,
    margin,
    alternatives,
    strategy,
    flags,
    model: network,
    statistics,
  };
};
