/** Those who follow the events while everything breaks. */
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import type { NatsBusParts } from "../../pipeline/bus/nats/open.ts";
import type { Event } from "./outcome.ts";
import { startPipeline } from "./processes.ts";

export interface Subscriber {
  readonly seen: readonly Event[];
  /** Reads nothing from now on, and does not learn that there is something. */
  stopReading(): void;
  goOn(): void;
  /** Resolves when the events that it has seen fulfil this. */
  until(fulfilled: (seen: readonly Event[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Follows the events on the bus, from the start on. */
export const subscribeToBus = (bus: NatsBusParts): Subscriber => {
  const seen: Event[] = [];
  const watching = new Set<() => void>();
  const stop = new AbortController();
  let reading: Promise<void> = Promise.resolve();
  let goOn = () => {};
  const following = (async () => {
    for await (const event of natsEvents(bus).follow({}, { after: 0, signal: stop.signal })) {
      await reading;
      seen.push(event);
      for (const each of watching) each();
    }
  })();
  following.catch(() => undefined); // awaited in the end
  return {
    seen,
    stopReading() {
      reading = new Promise((resolve) => {
        goOn = resolve;
      });
    },
    goOn: () => goOn(),
    until: (fulfilled) =>
      Promise.race([
        following.then(() => Promise.reject(new Error("a subscriber's events ended"))),
        new Promise<void>((resolve) => {
          const look = () => {
            if (!fulfilled(seen)) return;
            watching.delete(look);
            resolve();
          };
          watching.add(look);
          look();
        }),
      ]),
    async close() {
      stop.abort();
      goOn();
      await following.catch(() => undefined); // a store that was lost has ended it
    },
  };
};

/** `pipeline results --follow` at a results service; it stops reading by SIGSTOP. */
export const subscribeAsProcess = (address: string): Subscriber => {
  const follower = startPipeline("follower", ["results", "--server", address, "--follow", "--json"]);
  const seen = (): Event[] =>
    follower.said.map((line) => {
      const { seq, ...value } = line as unknown as { readonly seq: number } & Event["value"];
      return { seq, value };
    });
  return {
    get seen() {
      return seen();
    },
    stopReading: () => follower.signal("SIGSTOP"),
    goOn: () => follower.signal("SIGCONT"),
    async until(fulfilled) {
      await follower.hear(() => fulfilled(seen()));
    },
    close: () => follower.kill(),
  };
};
