import assert from "node:assert/strict";
import { test } from "node:test";
import { PixelMemory } from "../../pipeline/run/pixel-memory.ts";

const never = new AbortController().signal;

test("pixel memory - grants while there is room, then in the order of asking", async () => {
  const memory = new PixelMemory(10);
  const first = await memory.acquire(6, never);
  const order: string[] = [];
  const second = memory.acquire(6, never).then(() => order.push("second"));
  const third = memory.acquire(2, never).then(() => order.push("third"));
  await new Promise(setImmediate);
  assert.deepEqual(order, []);
  first.release();
  await Promise.all([second, third]);
  assert.deepEqual(order, ["second", "third"]);
  assert.equal(memory.used, 8);
  assert.equal(memory.peak, 8);
});

test("pixel memory - a lease with two owners comes back when both have released it, and never twice", async () => {
  const memory = new PixelMemory(10);
  const lease = await memory.acquire(10, never);
  lease.retain();
  lease.release();
  assert.equal(memory.used, 10);
  lease.release();
  lease.release();
  assert.equal(memory.used, 0);
});

test("pixel memory - an image larger than all of it is refused at once", async () => {
  await assert.rejects(new PixelMemory(2 ** 20).acquire(2 ** 21, never), {
    message: "[too-large] one image takes 2.0 MiB, the pixels of an experiment may take 1.0 MiB; raise memoryMiB",
  });
});

test("pixel memory - a cancelled wait leaves the queue", async () => {
  const memory = new PixelMemory(10);
  const lease = await memory.acquire(10, never);
  const cancel = new AbortController();
  const waiting = memory.acquire(1, cancel.signal);
  cancel.abort();
  await assert.rejects(waiting, { code: "cancelled" });
  lease.release();
  assert.equal(memory.used, 0);
});

test("pixel memory - leases that were dropped without release come back", async () => {
  const memory = new PixelMemory(10);
  await memory.acquire(10, never);
  const next = await memory.acquire(10, never);
  assert.equal(next.bytes, 10);
});
