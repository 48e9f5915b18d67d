import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createInbox } from "@nats-io/transport-node";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { namesIn } from "../../pipeline/bus/nats/names.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import type { BusEvent } from "../../pipeline/events/event.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { read, resultOf, testEvents } from "../events/suite.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

const limit = { timeout: 60_000 };

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

const open = async (t: TestContext, url = server.namespace()) => {
  const parts = await openNats({ url, name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  return natsEvents(parts);
};

testEvents("events on NATS", open);

test("events - a subscriber outlives kill -9 of the server", async (t) => {
  const own = await startNatsServer();
  t.after(() => own.close());
  const store = await open(t, own.namespace());
  const events = openEventPublisher(store, "a", () => "HUVEC");
  await events.publishResult(resultOf("HUVEC-01", 3));
  const following = read(store, {}, 14);
  await sleep(100);
  await own.kill();
  const publishing = events.publishResult(resultOf("HUVEC-02", 3));
  await sleep(300);
  await own.restart();
  await publishing;
  const numbers = (await following).map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    Array.from({ length: 14 }, (_, i) => i + 1),
  );
});

test("events - a subscriber gets what was sent to nobody, though nothing follows it", async (t) => {
  const parts = await openNats({ url: server.namespace(), name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  const { names, manager } = parts.streams;
  const [store, queued] = [natsEvents(parts), { kind: "state", state: "queued", cellType: "HUVEC", node: "a", at: "" }];
  const queue = (experiment: string) => store.append({ ...queued, experiment } as BusEvent, { id: experiment });
  await queue("HUVEC-01");
  const following = read(store, {}, 2);
  await sleep(500);
  // Another request is served first as soon as the subscriber's own has run out: the message goes to it alone.
  const [reader] = await manager.consumers.list(names.events).next();
  const lost = createInbox();
  parts.nc.subscribe(lost);
  const request = JSON.stringify({ batch: 1, expires: 20e9 });
  parts.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${names.events}.${reader!.name}`, request, { reply: lost });
  await sleep(4_000);
  await queue("HUVEC-02");
  assert.deepEqual(
    (await following).map(({ value }) => value.experiment),
    ["HUVEC-01", "HUVEC-02"],
  );
});

for (const [what, count] of [
  ["fewer", 1],
  ["as many", 3],
  ["more", 8],
] as const) {
  test(
    `events - a subscriber whose stream is deleted and made again with ${what} events is refused with the reason`,
    limit,
    async (t) => {
      const parts = await openNats({ url: server.namespace(), name: "test", onConnection: () => {} });
      t.after(() => parts.nc.close());
      const store = natsEvents(parts);
      await openEventPublisher(store, "a", () => "HUVEC").publishResult(resultOf("HUVEC-01", 1));
      const following = read(store, {}, 100);
      following.catch(() => undefined); // looked at below
      await sleep(500);
      const { names, manager } = parts.streams;
      const { config } = await manager.streams.info(names.events);
      await manager.streams.delete(names.events);
      await manager.streams.add(config);
      const queued = { kind: "state", state: "queued", cellType: "HUVEC", node: "a", at: "" } as const;
      for (let n = 0; n < count; n++) await store.append({ ...queued, experiment: `${n}` }, { id: `${n}` });
      await assert.rejects(following, /\[invalid-request\].*[Rr]ead from the start/);
    },
  );
}

test("events - a subscriber goes on where a damaged stream was made anew with further numbers", limit, async (t) => {
  const parts = await openNats({ url: server.namespace(), name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  const store = natsEvents(parts);
  const node = openEventPublisher(store, "a", () => "HUVEC");
  await node.publishResult(resultOf("HUVEC-01", 1));
  const following = read(store, {}, 6);
  await sleep(500);
  await parts.streams.empty(parts.streams.names.events);
  await node.publishResult(resultOf("HUVEC-02", 1));
  assert.deepEqual(
    (await following).map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6],
  );
});

test("events - subjects of a filter", () => {
  const { eventsOf } = namesIn("x");
  assert.equal(eventsOf({}), "x.events.*.*.*.>");
  assert.equal(eventsOf({ kind: "state", cellType: "U2OS" }), "x.events.state.U2OS.*.>");
  assert.equal(eventsOf({ experiment: "a.b", plate: "3" }), "x.events.call.*.a=2eb.3.*");
});
