import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plain } from "../../common/grpc/client-security.ts";
import { openToThisHost } from "../../common/grpc/server-security.ts";
import type { EventFilter, Numbered } from "../../pipeline/events/event.ts";
import { type FileEvents, openFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { type SubscribeOptions, subscribe } from "../../pipeline/events/subscription-client.ts";
import { serveResults } from "../../pipeline/events/subscription-server.ts";
import { resultOf } from "./suite.ts";

const openStore = async (t: TestContext): Promise<FileEvents> => {
  const folder = await mkdtemp(join(tmpdir(), "platestream-events-"));
  const store = await openFileEvents(join(folder, "events.jsonl"));
  t.after(async () => {
    await store.close().catch(() => undefined);
    await rm(folder, { recursive: true });
  });
  return store;
};
const serve = async (t: TestContext, store: FileEvents, listen = "127.0.0.1:0") => {
  const server = await serveResults({ listen, security: openToThisHost, store, onRefused: () => undefined });
  t.after(() => server.close(0));
  return server;
};
const publisher = (store: FileEvents) => openEventPublisher(store, "a", () => "HUVEC");
const read = async (address: string, filter: EventFilter, given: Partial<SubscribeOptions>, count = Infinity) => {
  const stop = new AbortController();
  const signal = stop.signal;
  const options = {
    from: "start",
    storedOnly: false,
    giveUpMs: 60_000,
    signal,
    onLost: () => undefined,
    ...given,
  } as const;
  const events: Numbered[] = [];
  for await (const event of subscribe(address, plain, filter, options)) {
    events.push(event);
    if (events.length === count) stop.abort();
  }
  return events;
};
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);
const numbers = (events: readonly Numbered[]) => events.map(({ seq }) => seq);

test("a subscriber gets the events as they were published, and only those that it asks for", async (t) => {
  const store = await openStore(t);
  const { address } = await serve(t, store);
  const node = publisher(store);
  node.next({ type: "experiment-running", experiment: "HUVEC-01", attempt: 1, plates: [] });
  node.next({ type: "experiment-waiting", experiment: "HUVEC-01", attempt: 1, reason: "flaky", code: "internal" });
  await node.publishResult(resultOf("HUVEC-01", 3));
  const all = await read(address, {}, { storedOnly: true });
  const kept: Numbered[] = [];
  const { signal } = new AbortController();
  for await (const event of store.follow({}, { after: 0, storedOnly: true, signal })) kept.push(event);
  assert.deepEqual(all, kept);
  assert.equal((await read(address, { plates: ["2"] }, { storedOnly: true })).length, 3);
  assert.equal((await read(address, { kinds: ["state"] }, { storedOnly: true })).length, 3);
  assert.equal((await read(address, { cellTypes: ["RPE"] }, { storedOnly: true })).length, 0);
  assert.deepEqual(numbers(await read(address, {}, { storedOnly: true, from: 7 })), [8, 9]);
});

test("from now on means from the moment of subscribing, also when the connection is lost before the first event", async (t) => {
  const store = await openStore(t);
  const node = publisher(store);
  await node.publishResult(resultOf("HUVEC-01", 3));
  const { address } = await serve(t, store);
  const link = await cuttable(t, address);
  const reading = read(link.address, {}, { from: "now" }, 5);
  await link.connected();
  await sleep(100);
  link.cut();
  await node.publishResult(resultOf("HUVEC-02", 2));
  assert.deepEqual(numbers(await reading), [8, 9, 10, 11, 12]);
});

test("a subscriber whose connection is cut again and again misses nothing and sees nothing twice", async (t) => {
  const store = await openStore(t);
  const { address } = await serve(t, store);
  const link = await cuttable(t, address);
  const lost: string[] = [];
  const reading = read(link.address, {}, { onLost: (why) => lost.push(why) }, 303);
  const node = publisher(store);
  for (const id of ["HUVEC-01", "HUVEC-02", "HUVEC-03"]) {
    await link.connected();
    await node.publishResult(resultOf(id, 50));
    link.cut();
  }
  assert.deepEqual(numbers(await reading), upTo(303));
  assert.ok(lost.length > 0);
});

test("when the run is over, the stream ends after the last event", async (t) => {
  const store = await openStore(t);
  const server = await serve(t, store);
  const reading = read(server.address, {}, {});
  await publisher(store).publishResult(resultOf("HUVEC-01", 20));
  await sleep(100);
  store.end();
  await server.close(5_000);
  assert.deepEqual(numbers(await reading), upTo(41));
});

test("a node that leaves says so, and the subscriber goes on where another one serves", async (t) => {
  const store = await openStore(t);
  const node = publisher(store);
  await node.publishResult(resultOf("HUVEC-01", 2));
  const first = await serve(t, store);
  const lost: string[] = [];
  const reading = read(first.address, {}, { onLost: (why) => lost.push(why) }, 10);
  while (first.active === 0) await sleep(10);
  await first.close(0);
  await serve(t, store, first.address);
  await node.publishResult(resultOf("HUVEC-02", 2));
  assert.deepEqual(numbers(await reading), upTo(10));
  assert.match(lost[0]!, /this node leaves|connection|ECONN/i);
});

test("a run that ends while the connection is lost ends the wait, and the subscriber learns where the rest is", async (t) => {
  const store = await openStore(t);
  await publisher(store).publishResult(resultOf("HUVEC-01", 2));
  const server = await serve(t, store);
  const lost: string[] = [];
  const reading = read(server.address, {}, { giveUpMs: 2_000, onLost: (why) => lost.push(why) });
  while (server.active === 0) await sleep(10);
  await sleep(500);
  const started = performance.now();
  await Promise.all([
    server.close(0),
    assert.rejects(reading, {
      code: "bus-unavailable",
      message:
        /it has not come back for 2 s: perhaps the run is over, and what comes after event 5 stands in its folder/,
    }),
  ]);
  assert.ok(performance.now() - started < 20_000);
  assert.ok(lost.length > 0, "it is tried again first");
});

test("a subscriber that does not read holds up nobody, and what it has not read stays in the store", async (t) => {
  const store = await openStore(t);
  let taken = 0;
  const counted = {
    last: store.last,
    async *follow(...[filter, options]: Parameters<FileEvents["follow"]>) {
      for await (const event of store.follow(filter, options)) {
        taken += 1;
        yield event;
      }
    },
  };
  const server = await serve(t, { ...store, ...counted });
  const link = await cuttable(t, server.address);
  const stop = new AbortController();
  const stuck = read(link.address, {}, { signal: stop.signal });
  await link.connected();
  const node = publisher(store);
  await node.publishResult(resultOf("HUVEC-x", 1));
  link.stall();
  const tellMany = async (from: number) => {
    for (let n = from; n < from + 10; n++) await node.publishResult(resultOf(`HUVEC-${n}`, 400));
    await sleep(500);
    return taken;
  };
  const window = await tellMany(0); // what the sockets hold
  assert.equal(await tellMany(10), window, "and no more when more come");
  assert.equal((await read(server.address, {}, { storedOnly: true })).length, 16_023, "another one gets all");
  stop.abort();
  await stuck;
});

test("what cannot be subscribed to is refused with the reason", async (t) => {
  const { address } = await serve(t, await openStore(t));
  await assert.rejects(read(address, { kinds: ["calls" as "call"] }, {}), {
    code: "invalid-request",
    message: /kinds of events are call and state, not "calls"/,
  });
  // 2^53 is what 2^53 + 1 becomes on the way.
  for (const after of [2 ** 53, 2 ** 62])
    await assert.rejects(read(address, {}, { from: after }), {
      code: "invalid-request",
      message: /`after` is a sequence number, less than 2\^53/,
    });
  await assert.rejects(read("127.0.0.1:1", {}, {}), { code: "bus-unavailable", message: /127\.0\.0\.1:1/ });
});

/** A connection in between that can be cut. */
const cuttable = async (t: TestContext, to: string) => {
  const [host, port] = to.split(":") as [string, string];
  const sockets = new Set<Socket>();
  const pairs: [Socket, Socket][] = [];
  let waiting: (() => void)[] = [];
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
    pairs.push([near, far]);
    far.on("connect", () => {
      for (const wake of waiting) wake();
      waiting = [];
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    /** What the server sends is not read any more. */
    stall() {
      for (const [near, far] of pairs) far.unpipe(near).pause();
    },
    connected: () => (sockets.size > 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
  };
};
