/** What becomes of experiments when streams, consumers or the server's files are deleted or damaged under the nodes. */
import assert from "node:assert/strict";
import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Delivery } from "../../pipeline/bus/bus.ts";
import { readDeadLetters } from "../../pipeline/bus/nats/dead-letters.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

const never = new AbortController().signal;
const ref = (id: string) => ({ id, cellType: "HUVEC", data: "/data" });

const open = async (t: TestContext, url: string) => {
  const mended: string[] = [];
  const limits = { ackWaitMs: 1_000 };
  const parts = await openNats({ url, name: "node", onConnection: () => undefined, limits });
  t.after(() => parts.nc.close());
  const options = { node: "node", cellTypes: () => ["HUVEC"], untilEmpty: true, onFull: () => {} };
  const bus = await openNatsBus(parts, { ...options, onMended: (what) => mended.push(what) });
  return { parts, bus, mended, names: parts.streams.names, manager: parts.streams.manager };
};

type Opened = Awaited<ReturnType<typeof open>>;

/** The same as `promise`, or an error that says what took too long. */
const soon = <T>(promise: Promise<T>, what: string): Promise<T> =>
  Promise.race([
    promise,
    sleep(20_000, undefined, { ref: false }).then(() => assert.fail(`${what} takes more than 20 s`)),
  ]);

const blows: Record<string, (opened: Opened) => Promise<unknown>> = {
  "consumer is deleted": ({ manager, names }) => manager.consumers.delete(names.queue, names.consumer("HUVEC")),
  "queue is deleted": ({ manager, names }) => manager.streams.delete(names.queue),
  "queue is emptied": ({ manager, names }) => manager.streams.purge(names.queue),
};

const ends: Record<string, { settle: (delivery: Delivery) => Promise<void>; again?: number; letters?: number }> = {
  done: { settle: (delivery) => delivery.done() },
  failed: { settle: (delivery) => delivery.fail("no", undefined, 3), letters: 1 },
  waiting: { settle: (delivery) => delivery.retry("flaky", 100), again: 2 },
  queued: { settle: (delivery) => delivery.requeue(), again: 1 },
};

for (const [blow, strike] of Object.entries(blows))
  for (const [end, { settle, again, letters = 0 }] of Object.entries(ends))
    test(`NATS bus - the ${blow} while an experiment is called that ends ${end}: nothing hangs and nothing is lost`, async (t) => {
      const opened = await open(t, server.namespace());
      const { bus, parts } = opened;
      await bus.submit(["HUVEC-01", "HUVEC-02"].map(ref));
      const first = (await bus.take(never))!;
      await strike(opened);
      await soon(settle(first), "settling");
      const taken: string[] = [];
      for (;;) {
        const delivery = await soon(bus.take(never), "taking");
        if (delivery === undefined) break;
        taken.push(`${delivery.experiment.id} ${delivery.attempt}`);
        await soon(delivery.done(), "settling");
      }
      const expected = [...(again === undefined ? [] : [`HUVEC-01 ${again}`]), "HUVEC-02 1"];
      assert.deepEqual(taken.sort(), expected);
      assert.equal((await readDeadLetters(parts)).length, letters);
    });

test("NATS bus - what a damaged server has lost of the queue is found, and what comes is not stuck behind it", async (t) => {
  const url = server.namespace();
  const { bus, names, mended, parts } = await open(t, url);
  await bus.submit(["HUVEC-01", "HUVEC-02", "HUVEC-03"].map(ref));
  await (await bus.take(never))!.done();
  const second = (await bus.take(never))!;
  await server.kill();
  const messages = server.messagesOf(names.queue);
  for (const name of await readdir(messages)) await truncate(join(messages, name));
  await server.restart();
  await soon(second.done(), "settling");
  await bus.submit([ref("HUVEC-04")]);
  const taken: string[] = [];
  for (;;) {
    const delivery = await soon(bus.take(never), `taking after ${taken}`);
    if (delivery === undefined) break;
    taken.push(delivery.experiment.id);
    await soon(delivery.done(), "settling");
  }
  assert.deepEqual(taken.sort(), ["HUVEC-03", "HUVEC-04"]);
  assert.match(mended.join(), /HUVEC-03/);
  assert.deepEqual(new Set((await parts.records.all()).map(({ state }) => state)), new Set(["done"]));
});
