import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const refs = ["HUVEC-01", "HUVEC-02"].map((id) => ({ id, cellType: "HUVEC", data: "d" }));
const never = new AbortController().signal;

test("bus - hands out each experiment once, and nothing more when all are settled", async () => {
  const bus = await openEmbeddedBus();
  assert.deepEqual(await bus.submit(refs), { queued: 2, known: 0 });
  assert.deepEqual(await bus.submit(refs), { queued: 0, known: 2 });
  const [first, second] = [await bus.take(never), await bus.take(never)];
  assert.deepEqual([first?.experiment.id, second?.experiment.id], ["HUVEC-01", "HUVEC-02"]);
  const third = bus.take(never);
  await first!.done();
  await second!.done();
  assert.equal(await third, undefined);
});

test("bus - a retried experiment comes again as the next attempt", async () => {
  const bus = await openEmbeddedBus();
  await bus.submit(refs.slice(0, 1));
  await (await bus.take(never))!.retry("flaky");
  const again = await bus.take(never);
  assert.equal(again!.attempt, 2);
  await again!.giveUp("still flaky");
  assert.equal(await bus.take(never), undefined);
});

test("bus - a restart knows what was done and counts the attempt that died with the process", async (t) => {
  const journal = join(await temporaryFolder(t), "bus.json");
  const bus = await openEmbeddedBus(journal);
  await bus.submit(refs);
  await (await bus.take(never))!.done();
  await bus.take(never);
  await bus.close();

  const restarted = await openEmbeddedBus(journal);
  assert.deepEqual(await restarted.submit(refs), { queued: 0, known: 2 });
  const delivery = await restarted.take(never);
  assert.equal(delivery!.experiment.id, "HUVEC-02");
  assert.equal(delivery!.attempt, 2);
});

test("bus - a given-up experiment is tried anew when it is submitted again", async () => {
  const bus = await openEmbeddedBus();
  await bus.submit(refs.slice(0, 1));
  await (await bus.take(never))!.giveUp("broken");
  assert.deepEqual(await bus.submit(refs.slice(0, 1)), { queued: 1, known: 0 });
  assert.equal((await bus.take(never))!.attempt, 1);
});

test("bus - waiting for work ends when the node drains", async () => {
  const bus = await openEmbeddedBus();
  await bus.submit(refs.slice(0, 1));
  await bus.take(never);
  const drain = new AbortController();
  const waiting = bus.take(drain.signal);
  drain.abort();
  assert.equal(await waiting, undefined);
});
