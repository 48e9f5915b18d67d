/** A server that has lost what it had acknowledged gets it back from the folders of its nodes. */
import assert from "node:assert/strict";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { overview } from "../../pipeline/bus/nats/overview.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { type Held, repairBus } from "../../pipeline/bus/nats/repair.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { reportExperiment } from "../../pipeline/results/report.ts";
import { readStored, resultOf } from "../events/suite.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

const never = new AbortController().signal;
const ref = (id: string) => ({ id, cellType: "HUVEC", data: "/data" });
const held = (id: string): Held => ({ ...reportExperiment(resultOf(id, 3)), data: "/data" });

const setup = async (t: TestContext) => {
  const server = await startNatsServer();
  t.after(() => server.close());
  const parts = await openNats({ url: server.url, name: "node", onConnection: () => {}, limits: { ackWaitMs: 1_000 } });
  t.after(() => parts.nc.close());
  const options = { node: "node", cellTypes: () => ["HUVEC"], untilEmpty: true, onFull: () => {}, onMended: () => {} };
  const bus = await openNatsBus(parts, options);
  const publisher = openEventPublisher(natsEvents(parts), "node", () => "HUVEC");
  const call = async (id: string) => {
    await bus.submit([ref(id)]);
    const delivery = (await bus.take(never))!;
    assert.equal(delivery.experiment.id, id);
    await publisher.publishResult(resultOf(id, 3));
    await delivery.done();
  };
  const repair = async (...folders: Held[]): Promise<string[]> => {
    const said: string[] = [];
    async function* all() {
      yield* folders;
    }
    await repairBus(parts, publisher, all, (what) => said.push(what));
    return said;
  };
  const calls = async () => {
    const events = await readStored(natsEvents(parts), { kinds: ["call"] });
    return events
      .map(({ value }) => (value.kind === "call" ? `${value.experiment} ${value.plate} ${value.well}` : ""))
      .sort();
  };
  return { server, parts, bus, call, repair, calls };
};

const callsOf = (...ids: string[]) =>
  ids.flatMap((id) => ["1", "2"].flatMap((plate) => ["B2", "B3", "B4"].map((well) => `${id} ${plate} ${well}`)));

const storeOf = (server: NatsServer) => dirname(dirname(dirname(dirname(dirname(server.messagesOf("x"))))));

test("a bus that was rolled back to an older copy gets back what nodes hold; the rest is queued again", async (t) => {
  const { server, parts, bus, call, repair, calls } = await setup(t);
  await call("HUVEC-01");
  await server.kill();
  const [store, copy] = [storeOf(server), `${storeOf(server)}-copy`];
  t.after(() => rm(copy, { recursive: true, force: true }));
  await cp(store, copy, { recursive: true });
  await server.restart();
  await call("HUVEC-02");
  await call("HUVEC-03");
  await server.kill();
  await rm(store, { recursive: true });
  await cp(copy, store, { recursive: true });
  await server.restart();
  assert.deepEqual(await calls(), callsOf("HUVEC-01"));
  assert.equal((await overview(parts)).counts.done, 1);

  assert.equal((await repair(held("HUVEC-02"), held("HUVEC-01"))).length, 2);
  assert.deepEqual(await calls(), callsOf("HUVEC-01", "HUVEC-02"));
  assert.equal((await overview(parts)).counts.done, 2);
  assert.deepEqual(await repair(held("HUVEC-01"), held("HUVEC-02")), [], "a second time nothing is wrong");
  await call("HUVEC-03");
  assert.equal(await bus.take(never), undefined);
});

test("a done experiment whose calls the bus has lost and nobody holds is queued again", async (t) => {
  const { parts, bus, call, repair, calls } = await setup(t);
  await call("HUVEC-01");
  await call("HUVEC-02");
  await parts.streams.manager.streams.delete(parts.streams.names.events);
  await parts.streams.manager.streams.delete(parts.streams.names.queue);
  const reopened = await openNats({
    url: parts.nc.getServer().replace(/^/, "nats://"),
    name: "x",
    onConnection: () => {},
  });
  t.after(() => reopened.nc.close());
  assert.match((await overview(parts)).damage.join(), /calls are lost of HUVEC-01, HUVEC-02/);
  const said = await repair(held("HUVEC-01"));
  assert.match(said.join("\n"), /6 of 6 calls of HUVEC-01 were lost[\s\S]*HUVEC-02 were lost and no folder holds them/);
  assert.deepEqual(await calls(), callsOf("HUVEC-01"));
  const again = (await bus.take(never))!;
  assert.deepEqual([again.experiment.id, again.attempt], ["HUVEC-02", 1]);
  await again.done();
});

test("events whose block is damaged are noticed by whoever reads them, and published again", async (t) => {
  const { server, parts, call, repair, calls } = await setup(t);
  for (const id of ["HUVEC-01", "HUVEC-02", "HUVEC-03"]) await call(id);
  const last = await natsEvents(parts).last();
  await server.kill();
  const folder = server.messagesOf(parts.streams.names.events);
  for (const name of (await readdir(folder)).filter((each) => each.endsWith(".blk"))) {
    const bytes = await readFile(join(folder, name));
    const at = bytes.indexOf("HUVEC-02");
    bytes[at + 3]! ^= 1;
    await writeFile(join(folder, name), bytes);
  }
  await server.restart();
  const before = await calls().catch((error: Error) => error.message);
  t.diagnostic(`without repair: ${JSON.stringify(before).slice(0, 300)}`);
  assert.notDeepEqual(before, callsOf("HUVEC-01", "HUVEC-02", "HUVEC-03"));
  const said = await repair(held("HUVEC-01"), held("HUVEC-02"), held("HUVEC-03"));
  t.diagnostic(said.join(" | "));
  assert.deepEqual(await calls(), callsOf("HUVEC-01", "HUVEC-02", "HUVEC-03"));
  assert.ok((await natsEvents(parts).last()) > last, "numbers are not used again");
  assert.deepEqual(await repair(held("HUVEC-01")), []);
});
