import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "../../pipeline/bus/bus.ts";
import { parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { chooseLetters, readDeadLetters, replayDeadLetters } from "../../pipeline/bus/nats/dead-letters.ts";
import type { Limits } from "../../pipeline/bus/nats/layout.ts";
import { announceNode } from "../../pipeline/bus/nats/nodes.ts";
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import { overview } from "../../pipeline/bus/nats/overview.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

const never = new AbortController().signal;
const ref = (id: string, cellType = "HUVEC") => ({ id, cellType, data: "/data" });

interface Opened {
  readonly parts: NatsBusParts;
  readonly bus: Bus;
  readonly connection: string[];
}

const open = async (
  t: TestContext,
  url: string,
  { node = "node-1", cellTypes = ["HUVEC"], onFull = () => {}, limits = {} as Partial<Limits> } = {},
): Promise<Opened> => {
  const connection: string[] = [];
  const parts = await openNats({
    url,
    name: node,
    onConnection: (state) => connection.push(state),
    limits: { ackWaitMs: 1_000, ...limits },
  });
  t.after(() => parts.nc.close());
  return {
    parts,
    connection,
    bus: await openNatsBus(parts, { node, cellTypes: () => cellTypes, untilEmpty: true, onFull, onMended: () => {} }),
  };
};

test("NATS bus - a node takes its own cell types only", async (t) => {
  const url = server.namespace();
  const { bus } = await open(t, url, { cellTypes: ["RPE", "U2OS"] });
  await bus.submit([ref("HUVEC-01"), ref("RPE-01", "RPE"), ref("U2OS-01", "U2OS")]);
  const taken = [await bus.take(never), await bus.take(never)].map((delivery) => delivery!.experiment.id);
  assert.deepEqual(taken.sort(), ["RPE-01", "U2OS-01"]);
  assert.equal((await (await open(t, url, { node: "node-2" })).bus.take(never))!.experiment.id, "HUVEC-01");
});

test("NATS bus - cell types and experiments may have any name", async (t) => {
  const { bus } = await open(t, server.namespace(), { cellTypes: ["iPSC day 3.5 *>"] });
  const odd = ref("2026/11 läuft.>*", "iPSC day 3.5 *>");
  await bus.submit([odd]);
  const delivery = await bus.take(never);
  assert.deepEqual(delivery!.experiment, odd);
  await delivery!.done();
  assert.deepEqual(await bus.submit([odd]), { queued: 0, known: 1 });
});

test("NATS bus - what is worked on for long is nobody else's", async (t) => {
  const url = server.namespace();
  const [one, two] = [await open(t, url), await open(t, url, { node: "node-2" })];
  await one.bus.submit([ref("HUVEC-01")]);
  const delivery = await one.bus.take(never);
  const other = two.bus.take(AbortSignal.timeout(2_500));
  assert.equal(await other, undefined);
  await delivery!.done();
});

test("NATS bus - a node that was lost and comes back settles only what is still its own", async (t) => {
  const url = server.namespace();
  const one = await open(t, url);
  await one.bus.submit([ref("HUVEC-01")]);
  const lost = await one.bus.take(never);
  await one.parts.records.change("HUVEC-01", (record) => ({ ...record!, node: "node-2", delivery: "another" }));
  await lost!.fail("too late", undefined, 1);
  assert.equal((await one.parts.records.get("HUVEC-01"))!.value.state, "running");
  assert.deepEqual(await readDeadLetters(one.parts), []);
});

test("NATS bus - a full queue slows the submitter and fails nothing", async (t) => {
  let full = 0;
  const { bus } = await open(t, server.namespace(), { limits: { queue: 2 }, onFull: () => full++ });
  const submitted = bus.submit(["HUVEC-01", "HUVEC-02", "HUVEC-03"].map((id) => ref(id)));
  while (full === 0) await sleep(20);
  await (await bus.take(never))!.done();
  assert.deepEqual(await submitted, { queued: 3, known: 0 });
});

test("NATS bus - a dead letter keeps reason, stage and attempts, and is replayed with all of them", async (t) => {
  const { bus, parts } = await open(t, server.namespace());
  await bus.submit([ref("HUVEC-01")]);
  await (await bus.take(never))!.retry("[deadline] slow", 10);
  await (await bus.take(never))!.fail("[plugin-failed] stage mine: no B03 here", "mine", 2);
  const letters = await readDeadLetters(parts);
  const { at, seq, ...letter } = letters[0]!;
  assert.deepEqual(letter, {
    ...ref("HUVEC-01"),
    attempts: 2,
    reason: "[plugin-failed] stage mine: no B03 here",
    stage: "mine",
    node: "node-1",
  });
  assert.ok(Date.parse(at) > 0 && seq > 0);
  assert.throws(() => chooseLetters(letters, ["HUVEC-02"]), /no dead letter of HUVEC-02; there are those of HUVEC-01/);

  assert.deepEqual(await replayDeadLetters(parts, letters, () => {}), { queued: 1, known: 0 });
  assert.deepEqual(await readDeadLetters(parts), []);
  assert.equal((await bus.take(never))!.attempt, 1);
});

test("NATS bus - a message that is not an experiment fails and holds up nobody", async (t) => {
  const { bus, parts } = await open(t, server.namespace());
  await parts.streams.publish(parts.streams.names.experiment("HUVEC", "junk"), { hello: 1 }, { id: "junk" });
  await bus.submit([ref("HUVEC-01")]);
  assert.equal((await bus.take(never))!.experiment.id, "HUVEC-01");
  assert.match((await readDeadLetters(parts))[0]!.reason, /^\[invalid-data\] message on .*\.junk:/);
});

test("NATS bus - kill -9 of the server: nodes and submitters wait, and go on where they were", async (t) => {
  const own = await startNatsServer();
  t.after(() => own.close());
  const { bus, parts, connection } = await open(t, own.namespace());
  await bus.submit([ref("HUVEC-01"), ref("HUVEC-02")]);
  const first = await bus.take(never);
  await own.kill();
  const settled = first!.done();
  const submitted = bus.submit([ref("HUVEC-03")]);
  await sleep(300);
  await own.restart();
  await settled;
  assert.deepEqual(await submitted, { queued: 1, known: 0 });
  for (const id of ["HUVEC-02", "HUVEC-03"]) {
    const delivery = await bus.take(never);
    assert.deepEqual([delivery!.experiment.id, delivery!.attempt], [id, 1]);
    await delivery!.done();
  }
  assert.equal(await bus.take(never), undefined);
  assert.deepEqual((await overview(parts)).counts, { queued: 0, running: 0, waiting: 0, done: 3, failed: 0 });
  assert.deepEqual(connection, ["lost", "ready"]);
});

test("NATS bus - streams of an earlier layout are migrated, what an operator has set stays", async (t) => {
  const url = server.namespace();
  const { parts } = await open(t, url, { limits: { queue: 7 } });
  const manager = parts.streams.manager;
  const name = parts.streams.names.deadLetters;
  await manager.streams.update(name, { description: "Platestream layout 0", max_msgs_per_subject: 5, max_age: 9e12 });
  await open(t, url, { node: "node-2" });
  const { config } = await manager.streams.info(name);
  assert.match(config.description!, /^Platestream layout 1/);
  assert.equal(config.max_msgs_per_subject, 1);
  assert.equal(config.max_age, 9e12);
  assert.equal((await manager.streams.info(parts.streams.names.queue)).config.max_msgs, 7);
});

test("NATS bus - streams of a later layout are left alone", async (t) => {
  const url = server.namespace();
  const { parts } = await open(t, url);
  const { names, manager } = parts.streams;
  await manager.streams.update(names.deadLetters, {
    description: "Platestream layout 99: more",
    max_msgs_per_subject: 5,
  });
  await open(t, url, { node: "node-2" });
  assert.equal((await manager.streams.info(names.deadLetters)).config.max_msgs_per_subject, 5);
});

test("NATS bus - a stream that was deleted is made again for whoever needs it", async (t) => {
  const { bus, parts } = await open(t, server.namespace());
  const { names, manager } = parts.streams;
  await manager.streams.delete(names.queue);
  assert.deepEqual(await bus.submit([ref("HUVEC-01")]), { queued: 1, known: 0 });
  await (await bus.take(never))!.done();
});

test("NATS bus - a server without JetStream: the error says how to start one with it", async (t) => {
  const plain = await startNatsServer({ jetStream: false });
  t.after(() => plain.close());
  const opening = openNats({ url: plain.url, name: "test", onConnection: () => {} });
  await assert.rejects(opening, /\[bus-unavailable\] the NATS server at .* must have JetStream .*--jetstream/);
});

test("overview - what runs where and how far, and what no node takes", async (t) => {
  const { bus, parts } = await open(t, server.namespace());
  await bus.submit([ref("HUVEC-01"), ref("RPE-01", "RPE")]);
  const presence = announceNode(parts.nodes, "node-1", () => ["HUVEC"]);
  await bus.take(never);
  const plates = [{ plate: "1", sites: 2 }];
  await sleep(50);
  presence.next({ type: "experiment-running", experiment: "HUVEC-01", attempt: 1, plates });
  await sleep(50);
  const seen = await overview(parts);
  assert.deepEqual(seen.counts, { queued: 1, running: 1, waiting: 0, done: 0, failed: 0 });
  assert.deepEqual(seen.running, [{ experiment: "HUVEC-01", node: "node-1", attempt: 1, sites: 2, sitesDone: 0 }]);
  assert.deepEqual(seen.withoutNode, ["RPE"]);

  await presence.close();
  const left = await overview(parts);
  assert.deepEqual(left.nodes, []);
  assert.equal(left.running[0]!.node, undefined);
});

test("bus URL - several servers, a login, a namespace; anything else is refused with what it takes", () => {
  assert.deepEqual(parseBusUrl("tls://me:p%40ss@a:4222,b:4223/screen-7"), {
    servers: ["a:4222", "b:4223"],
    namespace: "screen-7",
    login: { kind: "user", user: "me", password: "p@ss" },
    tls: true,
  });
  assert.deepEqual(parseBusUrl("nats://s3cret@a").login, { kind: "token", token: "s3cret" });
  const logins = ["me:s3cret@a", "nats://me:s3c/ret@a", "nats://me:s3cret", "me:s3cret@a/b", "nats://me:s3@cret@a:x"];
  for (const wrong of ["http://a", "a:4222", "nats://a/b c", "nats://me:s3cret@a/b c", "nats://a:b", ...logins]) {
    assert.throws(
      () => parseBusUrl(wrong),
      (error: Error) =>
        /^\[invalid-config\] --bus takes nats:\/\//.test(error.message) && !/s3|cret/.test(error.message),
    );
  }
});

test("NATS bus - no server: the error names the address and the way out", async () => {
  const opening = openNats({ url: "nats://127.0.0.1:1", name: "test", onConnection: () => {} });
  await assert.rejects(
    opening,
    /\[bus-unavailable\] no NATS server answers at 127\.0\.0\.1:1 .*nats-server --jetstream/,
  );
});
