import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { namesIn } from "../../pipeline/bus/nats/names.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { openTeller } from "../../pipeline/events/tell.ts";
import { read, resultOf, testEvents } from "../events/suite.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

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
  const events = openTeller(store, "a", () => "HUVEC");
  await events.tellResult(resultOf("HUVEC-01", 3));
  const following = read(store, {}, 14);
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
