/** What every store of events does, whatever keeps them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EventFilter, Numbered } from "../../pipeline/events/event.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import type { EventStore } from "../../pipeline/events/store.ts";
import type { ExperimentResult } from "../../pipeline/results/result.ts";
import type { Call } from "../../pipeline/stage/items.ts";

/** An experiment of two plates and `wells` wells on each. */
export const resultOf = (id: string, wells: number): ExperimentResult => {
  const calls = ["1", "2"].flatMap((plate) =>
    Array.from({ length: wells }, (_, w) => {
      const model = { name: "m", version: "v" };
      const about = { statistics: "s", features: new Float32Array(1), sites: [1], metadata: {} };
      const prediction = { plate, well: `B${w + 2}`, wellType: "treatment", model, ...about };
      const call = {
        prediction,
        treatment: String(w),
        probability: 0.5,
        margin: 0.1,
        alternatives: [],
        flags: [],
      };
      const confidence = w % 2 === 0 ? { confidence: 0.75 } : {};
      return { ...call, ...confidence, strategy: "argmax" } as unknown as Call;
    }),
  );
  const experiment = { id, cellType: "HUVEC", plates: ["1", "2"], sites: [] };
  return { experiment, calls, leftOut: [], notes: [], attempts: 1, startedAt: "", seconds: 1, images: 0 };
};

/** The first `count` events after a sequence number. */
export const read = async (store: EventStore, filter: EventFilter, count: number, after = 0): Promise<Numbered[]> => {
  const stop = new AbortController();
  const events: Numbered[] = [];
  for await (const event of store.follow(filter, { after, signal: stop.signal })) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
};

export const readStored = async (store: EventStore, filter: EventFilter, after = 0): Promise<Numbered[]> => {
  const events: Numbered[] = [];
  const { signal } = new AbortController();
  for await (const event of store.follow(filter, { after, storedOnly: true, signal })) events.push(event);
  return events;
};

const wellsOf = (events: readonly Numbered[]) =>
  events.map(({ value }) => (value.kind === "call" ? `${value.experiment} ${value.plate} ${value.well}` : value.state));
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

export const testEvents = (name: string, open: (t: TestContext) => Promise<EventStore>): void => {
  const publisher = (store: EventStore, node = "a") => openEventPublisher(store, node, () => "HUVEC");

  test(`${name} - a result that is published twice is there once, and done comes after its calls`, async (t) => {
    const store = await open(t);
    const nodes = ["a", "b"].map((node) => publisher(store, node));
    await Promise.all(nodes.map((node) => node.publishResult(resultOf("HUVEC-01", 20))));
    await nodes[0]!.publishResult(resultOf("HUVEC-02", 1));
    await nodes[1]!.publishResult(resultOf("HUVEC-01", 20));
    const events = await read(store, { experiments: ["HUVEC-01"] }, 41);
    assert.equal(new Set(wellsOf(events)).size, 41);
    assert.equal(wellsOf(events).at(-1), "done");
    assert.equal(await store.last(), 44);
  });

  test(`${name} - a subscriber that goes on after its last number misses nothing and sees nothing twice`, async (t) => {
    const store = await open(t);
    await publisher(store).publishResult(resultOf("HUVEC-01", 30));
    const seen = await read(store, {}, 23);
    const rest = await read(store, {}, 38, seen.at(-1)!.seq);
    assert.deepEqual(
      [...seen, ...rest].map(({ seq }) => seq),
      upTo(61),
    );
  });

  test(`${name} - a subscriber that is there before the events gets them as they come`, async (t) => {
    const store = await open(t);
    const reading = read(store, { kinds: ["call"] }, 10);
    const node = publisher(store);
    for (const id of ["HUVEC-01", "HUVEC-02", "HUVEC-03"]) await node.publishResult(resultOf(id, 2));
    assert.equal(new Set(wellsOf(await reading)).size, 10);
  });

  test(`${name} - a subscriber takes what it asks for`, async (t) => {
    const store = await open(t);
    const node = publisher(store);
    node.next({ type: "experiment-running", experiment: "HUVEC-01", attempt: 1, plates: [] });
    node.next({ type: "experiment-waiting", experiment: "HUVEC-01", attempt: 1, reason: "flaky", code: "internal" });
    await node.publishResult(resultOf("HUVEC-01", 2));
    await openEventPublisher(store, "c", () => "U2OS").publishResult({
      ...resultOf("U2OS-01", 1),
      experiment: { id: "U2OS-01", cellType: "U2OS", plates: ["1", "2"], sites: [] },
    });
    assert.deepEqual(wellsOf(await readStored(store, { kinds: ["state"] })), ["running", "waiting", "done", "done"]);
    const plate = await readStored(store, { experiments: ["HUVEC-01"], plates: ["2"] });
    assert.deepEqual(wellsOf(plate).sort(), ["HUVEC-01 2 B2", "HUVEC-01 2 B3"]);
    assert.equal((await readStored(store, { plates: ["1", "2"] })).length, 6);
    assert.equal((await readStored(store, { cellTypes: ["U2OS"] })).length, 3);
    assert.equal((await readStored(store, { experiments: ["U2OS-01", "HUVEC-01"], kinds: ["call"] })).length, 6);
    assert.equal((await readStored(store, { experiments: ["RPE-01"] })).length, 0, "ends where nothing fits");
    assert.equal((await readStored(store, {}, 10)).length, 0, "ends where nothing is left");
  });

  test(`${name} - a call has its confidence where the strategy knows one`, async (t) => {
    const store = await open(t);
    await publisher(store).publishResult(resultOf("HUVEC-01", 2));
    const calls = await readStored(store, { kinds: ["call"], plates: ["1"] });
    const confidence = new Map(
      calls.map(({ value }) => (value.kind === "call" ? [value.well, value.confidence] : ["", 0])),
    );
    assert.deepEqual([...confidence].sort(), [
      ["B2", 0.75],
      ["B3", undefined],
    ]);
  });

  test(`${name} - to go on after a number that was never given is refused`, async (t) => {
    const store = await open(t);
    await publisher(store).publishResult(resultOf("HUVEC-01", 1));
    await assert.rejects(readStored(store, {}, 4), /\[invalid-request\] the last event here has number 3/);
    await assert.rejects(read(store, {}, 1, 4), /\[invalid-request\] the last event here has number 3/);
  });

  test(`${name} - a subscriber that does not read holds up nobody`, async (t) => {
    const store = await open(t);
    const stop = new AbortController();
    t.after(() => stop.abort());
    const stuck = store.follow({}, { after: 0, signal: stop.signal });
    const first = stuck.next();
    const node = publisher(store);
    for (let n = 0; n < 10; n++) await node.publishResult(resultOf(`HUVEC-${n}`, 50));
    assert.equal((await read(store, {}, 1010)).length, 1010, "another one reads on");
    assert.equal((await first).value.seq, 1);
    assert.equal((await stuck.next()).value.seq, 2, "and it has missed nothing");
    stop.abort();
    await stuck.return(undefined);
  });
};
