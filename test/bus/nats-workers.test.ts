import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connectNats, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { namesIn } from "../../pipeline/bus/nats/names.ts";
import { openWorkerDirectory } from "../../pipeline/bus/nats/workers.ts";
import { announceWorker } from "../../pipeline/workers/directory.ts";
import { entryOf, testDirectory } from "../workers/directory-suite.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

testDirectory("NATS", async (t) => {
  const address = parseBusUrl(server.namespace());
  const { nc } = await connectNats(address, "test", () => undefined);
  t.after(() => nc.close());
  return { directory: await openWorkerDirectory(nc, namesIn(address.namespace), 1_000), forgetMs: 1_000 };
});

test("NATS directory - what is not a worker's entry is passed over", async (t) => {
  const address = parseBusUrl(server.namespace());
  const { nc } = await connectNats(address, "test", () => undefined);
  t.after(() => nc.close());
  const directory = await openWorkerDirectory(nc, namesIn(address.namespace));
  await directory.put("a", entryOf("127.0.0.1:1"));
  await directory.put("b", { address: 5 } as never);
  assert.deepEqual(await directory.all(), [entryOf("127.0.0.1:1")]);
});

test("NATS directory - an entry that is written while it is read is there once", async (t) => {
  const address = parseBusUrl(server.namespace());
  const { nc } = await connectNats(address, "test", () => undefined);
  t.after(() => nc.close());
  const directory = await openWorkerDirectory(nc, namesIn(address.namespace));
  const entries = [1, 2, 3].map((port) => entryOf(`127.0.0.1:${port}`));
  const write = () => Promise.all(entries.map((entry) => directory.put(entry.address, entry)));
  await write();
  let reading = true;
  const writing = (async () => {
    while (reading) await write();
  })();
  const counts: number[] = [];
  for (let times = 0; times < 100; times++) counts.push((await directory.all()).length);
  reading = false;
  await writing;
  assert.deepEqual(new Set(counts), new Set([3]));
});

test("NATS directory - a bucket that somebody deleted is made again by the workers that announce themselves", async (t) => {
  const address = parseBusUrl(server.namespace());
  const { nc } = await connectNats(address, "test", () => undefined);
  t.after(() => nc.close());
  const names = namesIn(address.namespace);
  const directory = await openWorkerDirectory(nc, names);
  const { close } = await announceWorker(directory, () => entryOf("127.0.0.1:1"), 100);
  t.after(close);
  await (await jetstreamManager(nc)).streams.delete(`KV_${names.workers}`);
  const all = () => directory.all().catch(() => []);
  for (let tries = 0; (await all()).length === 0; tries++) {
    assert.ok(tries < 100, "it was not made again");
    await sleep(100);
  }
});
