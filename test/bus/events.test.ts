import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type BusEvent, followEvents, lastEvent, openEvents } from "../../pipeline/bus/nats/events.ts";
import { type EventFilter, namesIn } from "../../pipeline/bus/nats/names.ts";
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import type { Call } from "../../pipeline/domain.ts";
import type { ExperimentResult } from "../../pipeline/results/result.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

const open = async (t: TestContext, url = server.namespace()) => {
  const parts = await openNats({ url, name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  return parts;
};

/** An experiment of two plates and `wells` wells on each. */
const resultOf = (id: string, wells: number): ExperimentResult => {
  const calls = ["1", "2"].flatMap((plate) =>
    Array.from({ length: wells }, (_, w) => {
      const prediction = { plate, well: `B${w + 2}`, model: { name: "m", version: "v" }, statistics: "s" };
      const call = { prediction, sirna: String(w), probability: 0.5, margin: 0.1, alternatives: [], flags: [] };
      return { ...call, strategy: "argmax" } as unknown as Call;
    }),
  );
  const experiment = { id, cellType: "HUVEC", plates: ["1", "2"], sites: [] };
  return { experiment, calls, leftOut: [], notes: [], attempts: 1, startedAt: "", seconds: 1, images: 0 };
};

/** The first `count` events after a sequence number. */
const read = async (parts: NatsBusParts, filter: EventFilter, count: number, after = 0) => {
  const stop = new AbortController();
  const events: { seq: number; value: BusEvent }[] = [];
  for await (const event of followEvents(parts, filter, { after, signal: stop.signal })) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
};
const wellsOf = (events: readonly { value: BusEvent }[]) =>
  events.map(({ value }) => (value.kind === "call" ? `${value.experiment} ${value.plate} ${value.well}` : value.state));

test("events - a result that two nodes tell is there once, and done comes after its calls", async (t) => {
  const parts = await open(t);
  const nodes = ["a", "b"].map((node) => openEvents(parts, node, () => "HUVEC"));
  await Promise.all(nodes.map((node) => node.tellResult(resultOf("HUVEC-01", 20))));
  await nodes[0]!.tellResult(resultOf("HUVEC-02", 1));
  const events = await read(parts, { experiment: "HUVEC-01" }, 41);
  assert.equal(new Set(wellsOf(events)).size, 41);
  assert.equal(wellsOf(events).at(-1), "done");
  assert.equal(await lastEvent(parts), 44);
});

test("events - a subscriber that goes on after its last number misses nothing and sees nothing twice", async (t) => {
  const parts = await open(t);
  await openEvents(parts, "a", () => "HUVEC").tellResult(resultOf("HUVEC-01", 30));
  const seen = await read(parts, {}, 23);
  const rest = await read(parts, {}, 38, seen.at(-1)!.seq);
  const numbers = [...seen, ...rest].map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    Array.from({ length: 61 }, (_, i) => i + 1),
  );
});

test("events - a subscriber takes what it asks for", async (t) => {
  const parts = await open(t);
  const events = openEvents(parts, "a", () => "HUVEC");
  events.next({ type: "experiment-started", experiment: "HUVEC-01", attempt: 1, plates: [] });
  events.next({ type: "experiment-retried", experiment: "HUVEC-01", attempt: 1, reason: "flaky" });
  await events.settled();
  await events.tellResult(resultOf("HUVEC-01", 2));
  assert.deepEqual(wellsOf(await read(parts, { kind: "state" }, 3)), ["started", "retried", "done"]);
  const plate = await read(parts, { experiment: "HUVEC-01", plate: "2" }, 2);
  assert.deepEqual(wellsOf(plate).sort(), ["HUVEC-01 2 B2", "HUVEC-01 2 B3"]);
});

test("events - a subscriber outlives kill -9 of the server", async (t) => {
  const own = await startNatsServer();
  t.after(() => own.close());
  const parts = await open(t, own.namespace());
  const events = openEvents(parts, "a", () => "HUVEC");
  await events.tellResult(resultOf("HUVEC-01", 3));
  const following = read(parts, {}, 14);
  await sleep(100);
  await own.kill();
  const telling = events.tellResult(resultOf("HUVEC-02", 3));
  await sleep(300);
  await own.restart();
  await telling;
  const numbers = (await following).map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    Array.from({ length: 14 }, (_, i) => i + 1),
  );
});

test("events - subjects of a filter", () => {
  const { eventsOf } = namesIn("x");
  assert.equal(eventsOf({}), "x.events.*.*.*.>");
  assert.equal(eventsOf({ kind: "state", cellType: "U2OS" }), "x.events.state.U2OS.*.>");
  assert.equal(eventsOf({ experiment: "a.b", plate: "3" }), "x.events.call.*.a=2eb.3.*");
});
