import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Images } from "../../common/inference.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { defaultPoolOptions, type PoolOptions, workerPool } from "../../pipeline/workers/pool.ts";
import type { CallOptions } from "../../pipeline/workers/workers.ts";
import { batchOf, type FakeOptions, type FakeWorker, startFakeWorker, wireError } from "./fake-worker.ts";

const call: CallOptions = { signal: new AbortController().signal, deadlineMs: 5_000, retries: 3 };
const impatient: PoolOptions = { ...defaultPoolOptions, probeMs: 20, patienceMs: 100, backOffMs: 5, askMs: 1_000 };

const openPool = async (t: TestContext, addresses: readonly string[], options = impatient) => {
  const statuses: Status[] = [];
  const pool = await workerPool(
    addresses.map((address) => platestreamWorker(address)),
    (status) => statuses.push(status),
    options,
  );
  t.after(() => pool.close());
  const predict = (batch: Images = batchOf(1), options: Partial<CallOptions> = {}) =>
    pool.predict({ cellType: "HUVEC" }, batch, { kind: "batch" }, { ...call, ...options });
  const states = () => statuses.map((status) => (status.type === "worker" ? `${status.address} ${status.state}` : ""));
  return { pool, predict, statuses, states };
};

const setup = async (t: TestContext, fakes: readonly FakeOptions[] = [{}, {}], options = impatient) => {
  const workers: FakeWorker[] = [];
  for (const fake of fakes) workers.push(await startFakeWorker(t, fake));
  const [a, b] = workers as [FakeWorker, FakeWorker];
  return {
    a,
    b,
    ...(await openPool(
      t,
      workers.map(({ address }) => address),
      options,
    )),
  };
};

const failing = (code: Parameters<typeof wireError>[0]) => () => {
  throw wireError(code, "on purpose");
};

test("batches spread over the workers, two at a time on each", async (t) => {
  const { a, b, pool, predict } = await setup(t);
  assert.equal(pool.concurrency, 4);
  a.before = b.before = () => sleep(100);
  await Promise.all(Array.from({ length: 12 }, () => predict()));
  assert.deepEqual([a.peak, b.peak], [2, 2]);
  assert.ok(a.predictions.length >= 4 && b.predictions.length >= 4);
});

test("a worker that computes many images at a time is given as many batches as make two of its own", async (t) => {
  const { a, b, pool, predict } = await setup(t, [{ bestBatch: 32 }, {}]);
  assert.equal(pool.concurrency, 6 + 2, "64 images are 6 batches of 12, which is what the model says");
  a.before = b.before = () => sleep(200);
  await Promise.all(Array.from({ length: 12 }, () => predict()));
  assert.deepEqual([a.peak, b.peak], [6, 2]);
});

test("a batch goes to the worker with the least to do, in bytes", async (t) => {
  const { a, b, predict } = await setup(t);
  let finish = () => {};
  a.before = () =>
    new Promise<void>((resolve) => {
      finish = resolve;
    });
  const large = predict(batchOf(1, 2, 3, 4));
  while (a.predictions.length === 0) await sleep(2);
  for (let batch = 0; batch < 3; batch++) await predict();
  assert.deepEqual([a.predictions.length, b.predictions.length], [1, 3]);
  finish();
  await large;
});

test("a batch that one worker fails is predicted by another", async (t) => {
  const { a, b, predict, states } = await setup(t);
  a.before = failing("internal");
  const answers = await Promise.all([predict(batchOf(5)), predict(batchOf(6))]);
  assert.deepEqual(
    answers.map(({ logits }) => logits[0]),
    [5, 6],
  );
  assert.ok(a.predictions.length > 0 && b.predictions.length === 2);
  assert.ok(!states().includes(`${a.address} lost`), "one failure is not enough to take a worker out");
});

test("a worker that does not know the token any more is taken out at once", async (t) => {
  const { a, b, predict, states } = await setup(t);
  a.before = failing("unauthenticated");
  await Promise.all([predict(), predict()]);
  assert.equal(b.predictions.length, 2);
  assert.ok(states().includes(`${a.address} lost`), states().join());
});

test("a batch is not tried again when it is itself wrong", async (t) => {
  const { a, b, predict } = await setup(t);
  a.before = b.before = failing("invalid-request");
  await assert.rejects(predict(), /\[invalid-request\] worker .*: on purpose/);
  assert.equal(a.predictions.length + b.predictions.length, 1);
});

test("attempts are bounded, and the last error is the one that is reported", async (t) => {
  const { a, b, predict } = await setup(t, [{}, {}], { ...impatient, failures: 99 });
  a.before = b.before = failing("internal");
  await assert.rejects(predict(batchOf(1), { retries: 2 }), /\[internal\] worker .*: on purpose/);
  assert.equal(a.predictions.length + b.predictions.length, 3);
});

test("a worker that dies loses its batches to the others, and is asked back in when it returns", async (t) => {
  const { a, b, pool, predict, states } = await setup(t);
  a.before = () => a.die();
  await Promise.all(Array.from({ length: 8 }, () => predict()));
  assert.deepEqual(states().slice(2), [`${a.address} lost`]);
  assert.equal(pool.concurrency, 2);

  const again = await startFakeWorker(t, { port: a.port });
  while (pool.concurrency < 4) await sleep(5);
  assert.equal(states().at(-1), `${a.address} ready`);
  again.before = b.before = () => sleep(10);
  await Promise.all(Array.from({ length: 6 }, () => predict()));
  assert.ok(again.predictions.length > 0);
});

test("a worker that fails again and again is taken out until it says that it is well", async (t) => {
  const { a, b, pool, predict, states } = await setup(t);
  a.before = failing("internal");
  b.before = () => sleep(10);
  a.setHealth("NOT_SERVING");
  await Promise.all(Array.from({ length: 8 }, () => predict()));
  assert.ok(states().includes(`${a.address} lost`));
  const failed = a.predictions.length;
  await Promise.all(Array.from({ length: 4 }, () => predict()));
  assert.equal(a.predictions.length, failed);
  a.setHealth("SERVING");
  while (pool.concurrency < 4) await sleep(5);
});

test("a worker that hangs costs one deadline, and its batch goes to another", async (t) => {
  const { a, b, predict } = await setup(t);
  a.before = () => sleep(5_000, undefined, { ref: false });
  const answers = await Promise.all([
    predict(batchOf(1), { deadlineMs: 500 }),
    predict(batchOf(2), { deadlineMs: 500 }),
  ]);
  assert.equal(answers.length, 2);
  assert.equal(a.predictions.length, 1);
  assert.equal(b.predictions.length, 2);
});

test("with no worker left the error names every address and what was heard last", async (t) => {
  const { a, b, predict } = await setup(t);
  a.die();
  b.die();
  const error = await predict().catch((thrown) => thrown);
  assert.equal(error.code, "no-worker");
  assert.match(
    error.message,
    new RegExp(`no worker is left.*\n {2}- worker ${a.address}: .*\n {2}- worker ${b.address}: `),
  );
});

test("a clock that is set back does not lengthen the wait for a worker", { timeout: 30_000 }, async (t) => {
  const { a, predict } = await setup(t, [{}], { ...impatient, patienceMs: 1_000 });
  a.die();
  const refused = assert.rejects(predict(), { code: "no-worker" });
  await sleep(300);
  const now = Date.now();
  t.mock.method(Date, "now", () => now - 7_200_000);
  const late = sleep(15_000, undefined, { ref: false }).then(() => assert.fail("it waits for 15 s"));
  await Promise.race([refused, late]);
});

test("a request waits for a worker that comes back in time", async (t) => {
  const { a, predict } = await setup(t, [{}], { ...impatient, patienceMs: 5_000 });
  a.die();
  const answer = predict(batchOf(7));
  await sleep(50);
  await startFakeWorker(t, { port: a.port });
  assert.equal((await answer).logits[0], 7);
});

test("a cancelled request ends, waiting or under way", async (t) => {
  const { a, predict } = await setup(t, [{}]);
  a.before = () => sleep(5_000, undefined, { ref: false });
  const stop = new AbortController();
  const all = Promise.allSettled(Array.from({ length: 3 }, () => predict(batchOf(1), { signal: stop.signal })));
  while (a.predictions.length < 2) await sleep(2);
  stop.abort();
  for (const outcome of await all) {
    assert.equal(outcome.status === "rejected" && outcome.reason.code, "cancelled");
  }
  a.before = () => undefined;
  await predict();
});

test("a batch goes to a worker that holds the network for its cell type", async (t) => {
  const { a, b, pool, predict } = await setup(t, [{ cellTypes: ["RPE"] }, { cellTypes: ["HUVEC"] }]);
  await Promise.all([predict(), predict(), predict()]);
  assert.deepEqual([a.predictions.length, b.predictions.length], [0, 3]);
  assert.deepEqual((await pool.models()).map(({ cellType }) => cellType).sort(), ["HUVEC", "RPE"]);
  await assert.rejects(
    pool.predict({ name: "other", cellType: "HUVEC" }, batchOf(1), { kind: "batch" }, call),
    /\[unknown-model\] no worker holds a network "other" for cell type "HUVEC"; they hold fake RPE, fake HUVEC/,
  );
});

test("statistics that one worker estimated are brought to the others", async (t) => {
  const { a, b, pool } = await setup(t);
  const statistics = await pool.calibrate({ cellType: "HUVEC" }, [batchOf(1, 2)], 0, call);
  a.before = b.before = () => sleep(20);
  await Promise.all(Array.from({ length: 4 }, () => pool.predict({ cellType: "HUVEC" }, batchOf(1), statistics, call)));
  assert.ok(a.held.has("of-2") && b.held.has("of-2"));
});

test("the batches of a calibration spread over the workers, and one of them combines the estimates", async (t) => {
  const { a, b, pool } = await setup(t);
  a.before = b.before = () => sleep(20);
  const batches = [1, 2, 3, 4].map((count) => batchOf(...new Array<number>(count).fill(count)));
  const statistics = await pool.calibrate({ cellType: "HUVEC" }, batches, 16, call);
  assert.equal(statistics.id, "of-10");
  const calls = [...a.calibrations, ...b.calibrations];
  const estimates = calls.filter(([first]) => first!.estimate === null);
  assert.deepEqual(
    estimates.map((all) => [all.length, all[0]!.source_weight]),
    new Array(4).fill([1, 0]),
  );
  assert.ok(a.calibrations.length >= 2 && b.calibrations.length >= 2);
  const [combined] = calls.filter(([first]) => first!.estimate !== null);
  assert.deepEqual(
    combined!.map(({ estimate, source_weight }) => [estimate!.images, source_weight]),
    [
      [1, 16],
      [2, 16],
      [3, 16],
      [4, 16],
    ],
  );
});

test("a calibration goes before the batches that wait", async (t) => {
  const { a, pool, predict } = await setup(t, [{}]);
  let finish = () => {};
  const busy = new Promise<void>((resolve) => {
    finish = resolve;
  });
  a.before = () => busy;
  const order: string[] = [];
  const batches = Array.from({ length: 4 }, (_, i) => predict().then(() => order.push(`batch ${i}`)));
  while (a.predictions.length < 2) await sleep(2);
  const calibration = pool
    .calibrate({ cellType: "HUVEC" }, [batchOf(1)], 0, call)
    .then(() => order.push("calibration"));
  finish();
  await Promise.all([...batches, calibration]);
  assert.ok(order.indexOf("calibration") <= 2, order.join(", "));
  assert.equal(a.calibrations.length, 1);
});

test("workers that hold different versions of a network are refused", async (t) => {
  const [a, b] = [await startFakeWorker(t), await startFakeWorker(t)];
  b.version = "v2";
  await assert.rejects(
    openPool(t, [a.address, b.address]),
    /\[invalid-model\] all workers of a run must hold the same version of a network, but of fake HUVEC worker /,
  );
});

test("a network that changes during a run is refused", async (t) => {
  const { a, predict } = await setup(t, [{}]);
  await predict();
  a.version = "v2";
  await assert.rejects(
    predict(),
    /\[invalid-model\] .* holds v2 and worker .* held v1; start all with the same bundle/,
  );
});

test("a pool opens with the workers that answer, and not without any", async (t) => {
  const [a, gone] = [await startFakeWorker(t), await startFakeWorker(t)];
  gone.die();
  const { pool, states } = await openPool(t, [gone.address, a.address]);
  assert.equal(pool.concurrency, 2);
  assert.deepEqual(states().sort(), [`${a.address} ready`, `${gone.address} lost`].sort());
  await assert.rejects(openPool(t, [gone.address]), new RegExp(`no worker is left.*\n {2}- worker ${gone.address}: `));
});

test("a pool that is closed takes no requests", async (t) => {
  const { pool, predict } = await setup(t, [{}]);
  await pool.close();
  await assert.rejects(predict(), /the pool of workers is closed/);
});
