/** What every bus does, whatever it is made of. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Bus } from "../../pipeline/bus/bus.ts";

export interface OpenedBus {
  readonly bus: Bus;
  /** Its process dies with what it has in hand; a new one opens the same bus. */
  crash(): Promise<Bus>;
}

const refs = ["HUVEC-01", "HUVEC-02"].map((id) => ({ id, cellType: "HUVEC", data: "d" }));
const never = new AbortController().signal;

/** `open` gives an empty bus for HUVEC experiments, whose taking ends when all are settled. */
export const testBus = (name: string, open: (t: TestContext) => Promise<OpenedBus>): void => {
  test(`${name} bus - hands out each experiment once, and nothing more when all are settled`, async (t) => {
    const { bus } = await open(t);
    assert.deepEqual(await bus.submit(refs), { queued: 2, known: 0 });
    assert.deepEqual(await bus.submit(refs), { queued: 0, known: 2 });
    const [first, second] = [await bus.take(never), await bus.take(never)];
    assert.deepEqual([first?.experiment, second?.experiment], refs);
    const third = bus.take(never);
    await first!.done();
    await second!.done();
    assert.equal(await third, undefined);
  });

  test(`${name} bus - what is done is not queued again`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs.slice(0, 1));
    await (await bus.take(never))!.done();
    assert.deepEqual(await bus.submit(refs), { queued: 1, known: 1 });
    assert.equal((await bus.take(never))!.experiment.id, "HUVEC-02");
  });

  test(`${name} bus - a retried experiment comes again as the next attempt, after its wait`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs.slice(0, 1));
    const failed = Date.now();
    await (await bus.take(never))!.retry("flaky", 300);
    const again = await bus.take(never);
    assert.ok(Date.now() - failed >= 300, `it came after ${Date.now() - failed} ms`);
    assert.equal(again!.attempt, 2);
    await again!.fail("still flaky", undefined, 2);
    assert.equal(await bus.take(never), undefined);
  });

  test(`${name} bus - an experiment that waits to be tried again does not hold up the others`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs);
    await (await bus.take(never))!.retry("flaky", 60_000);
    assert.equal((await bus.take(never))!.experiment.id, "HUVEC-02");
  });

  test(`${name} bus - what was requeued is no attempt`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs.slice(0, 1));
    await (await bus.take(never))!.requeue();
    const delivery = await bus.take(never);
    assert.equal(delivery!.attempt, 1);
    assert.ok(!delivery!.suspect);
  });

  test(`${name} bus - after a crash it knows what was done and counts the attempt that died`, async (t) => {
    const { bus, crash } = await open(t);
    await bus.submit(refs);
    await (await bus.take(never))!.done();
    await bus.take(never);

    const restarted = await crash();
    assert.deepEqual(await restarted.submit(refs), { queued: 0, known: 2 });
    const delivery = await restarted.take(never);
    assert.equal(delivery!.experiment.id, "HUVEC-02");
    assert.equal(delivery!.attempt, 2);
    assert.ok(delivery!.suspect, "it may be what killed the process");
  });

  test(`${name} bus - a failed experiment is tried anew when it is submitted again`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs.slice(0, 1));
    await (await bus.take(never))!.fail("broken", "infer", 1);
    assert.deepEqual(await bus.submit(refs.slice(0, 1)), { queued: 1, known: 0 });
    assert.equal((await bus.take(never))!.attempt, 1);
  });

  test(`${name} bus - waiting for work ends when the node drains`, async (t) => {
    const { bus } = await open(t);
    await bus.submit(refs.slice(0, 1));
    await bus.take(never);
    const drain = new AbortController();
    const waiting = bus.take(drain.signal);
    drain.abort();
    assert.equal(await waiting, undefined);
  });
};
