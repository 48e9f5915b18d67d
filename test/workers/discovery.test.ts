import assert from "node:assert/strict";
import { hostname } from "node:os";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatestreamError } from "../../common/errors.ts";
import type { Images } from "../../common/inference.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { memoryDirectory, type WorkerDirectory } from "../../pipeline/workers/directory.ts";
import { discoverWorkers } from "../../pipeline/workers/discovery.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { type Accept, defaultPoolOptions } from "../../pipeline/workers/pool.ts";
import type { CallOptions } from "../../pipeline/workers/workers.ts";
import { entryOf } from "./directory-suite.ts";
import { batchOf, type FakeOptions, type FakeWorker, startFakeWorker } from "./fake-worker.ts";

const call: CallOptions = { signal: new AbortController().signal, deadlineMs: 5_000, retries: 3 };
const impatient = { ...defaultPoolOptions, probeMs: 20, patienceMs: 200, backOffMs: 5, askMs: 300 };
/** For tests in which everybody answers, however busy the machine. */
const patient = { ...impatient, askMs: 10_000 };

interface Announced extends FakeWorker {
  /** Out of the directory. */
  vanish(): Promise<void>;
}

const setup = async (t: TestContext, accept: Accept = async () => undefined, connect = platestreamWorker) => {
  const directory: WorkerDirectory = memoryDirectory(60_000);
  const statuses: Status[] = [];
  const states = () => statuses.map((status) => (status.type === "worker" ? `${status.address} ${status.state}` : ""));
  const announce = async (options: FakeOptions = {}, since = "first"): Promise<Announced> => {
    const fake = await startFakeWorker(t, options);
    await directory.put(fake.address, entryOf(fake.address, { host: hostname(), since }));
    return Object.assign(fake, { vanish: () => directory.remove(fake.address) });
  };
  const open = async (pooling = impatient) => {
    const pool = await discoverWorkers(directory, {
      connect: (address) => connect(address),
      onStatus: (status) => statuses.push(status),
      accept,
      everyMs: 20,
      pool: pooling,
    });
    t.after(() => pool.close());
    const predict = (batch: Images = batchOf(1), options: Partial<CallOptions> = {}) =>
      pool.predict({ cellType: "HUVEC" }, batch, { kind: "batch" }, { ...call, ...options });
    return { pool, predict };
  };
  return { directory, announce, open, states, statuses };
};

const until = async (holds: () => boolean, what: string): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 500, `it never came to it: ${what}`);
    await sleep(10);
  }
};

test("those who are in the directory are there when the pool opens", async (t) => {
  const { announce, open } = await setup(t);
  await announce();
  await announce({ cellTypes: ["RPE"] });
  const { pool } = await open(patient);
  assert.equal(pool.concurrency, 4);
  assert.deepEqual(
    pool
      .ready()
      .map(({ cellType }) => cellType)
      .sort(),
    ["HUVEC", "RPE"],
  );
});

test("without anybody the pool opens, and holds no network until somebody comes", async (t) => {
  const { announce, open } = await setup(t);
  const { pool, predict } = await open({ ...patient, patienceMs: 10_000 });
  assert.deepEqual(pool.ready(), []);
  const early = predict(batchOf(7));
  await announce();
  assert.equal((await early).logits[0], 7, "a request waits for the first worker");
  assert.deepEqual(
    pool.ready().map(({ cellType }) => cellType),
    ["HUVEC"],
  );
});

test("a request that nobody can answer in time says which network is missing", async (t) => {
  const { announce, open } = await setup(t);
  await announce({ cellTypes: ["RPE"] });
  const { predict } = await open();
  await assert.rejects(predict(), /\[no-worker\] no worker holds a network for cell type "HUVEC"; start one with/);
});

test("a worker that appears during a run takes its share", async (t) => {
  const { announce, open } = await setup(t);
  const a = await announce();
  const { pool, predict } = await open();
  a.before = () => sleep(20);
  const batches = Promise.all(Array.from({ length: 40 }, () => predict()));
  const b = await announce();
  b.before = () => sleep(20);
  await batches;
  assert.equal(pool.concurrency, 4);
  assert.ok(b.predictions.length > 5, `it took ${b.predictions.length} of 40 batches`);
});

test("a worker that vanishes and does not answer is let go of; its batches go to the others", async (t) => {
  const { announce, open, states } = await setup(t);
  const [a, b] = [await announce(), await announce()];
  const { pool, predict } = await open();
  a.before = async () => {
    a.die();
    await a.vanish();
  };
  await Promise.all(Array.from({ length: 8 }, () => predict()));
  await until(() => pool.concurrency === 2, "one worker is left");
  const asked = states().length;
  await sleep(200);
  assert.deepEqual(states().slice(asked), [], "nobody asks for it any more");
  assert.deepEqual(states().slice(2), [`${a.address} lost`]);
  assert.ok(b.predictions.length >= 7);
});

test("a worker that leaves finishes what it has in hand, and gets nothing more", async (t) => {
  const { announce, open, states } = await setup(t);
  const [a, b] = [await announce(), await announce()];
  const { predict } = await open();
  a.before = b.before = () => sleep(200);
  const batches = [predict(batchOf(1)), predict(batchOf(2))];
  await until(() => a.predictions.length === 1, "it has one of the batches");
  a.setHealth("NOT_SERVING");
  await a.vanish();
  await until(() => states().includes(`${a.address} lost`), "it is let go of");
  await Promise.all([...batches, predict(), predict()]);
  assert.deepEqual([a.predictions.length, b.predictions.length], [1, 3]);
});

test("a worker that still answers is kept while the directory does not know it", async (t) => {
  const { directory, announce, open, states } = await setup(t);
  const a = await announce();
  const { pool, predict } = await open();
  await a.vanish();
  await sleep(200);
  assert.equal((await predict(batchOf(3))).logits[0], 3);
  await directory.put(a.address, entryOf(a.address, { host: hostname(), since: "first" }));
  await sleep(100);
  assert.deepEqual(states(), [`${a.address} ready`]);
  assert.equal(pool.concurrency, 2);
});

test("a worker that was started again at its address is asked anew what it holds", async (t) => {
  const { announce, open, states } = await setup(t);
  const a = await announce();
  const { pool } = await open();
  a.die();
  await announce({ port: a.port, cellTypes: ["HUVEC", "RPE"] }, "second");
  await until(() => pool.ready().length === 2, "it holds both networks");
  assert.equal(states().at(-1), `${a.address} ready`);
  assert.equal(pool.concurrency, 2);
});

test("calibrated statistics are brought to a worker that came after them", async (t) => {
  const { announce, open } = await setup(t);
  const a = await announce();
  const { pool } = await open();
  const statistics = await pool.calibrate({ cellType: "HUVEC" }, [batchOf(1, 2)], 0, call);
  a.die();
  await a.vanish();
  const b = await announce();
  await pool.predict({ cellType: "HUVEC" }, batchOf(1), statistics, call);
  assert.ok(b.held.has(statistics.id));
});

test("a worker with another version of a network is kept out, and the others go on", async (t) => {
  const { announce, open, statuses, directory } = await setup(t);
  await announce();
  const { pool, predict } = await open();
  const other = await startFakeWorker(t);
  other.version = "v2";
  await directory.put(other.address, entryOf(other.address, { host: hostname() }));
  await until(() => statuses.length === 2, "it is reported");
  assert.match(
    statuses[1]?.type === "worker" ? statuses[1].detail : "",
    /all workers of a run must hold the same version/,
  );
  await Promise.all(Array.from({ length: 6 }, () => predict()));
  assert.equal(other.predictions.length, 0);
  assert.equal(pool.concurrency, 2);
});

test("a worker is kept out when its networks do not fit what is there already", async (t) => {
  const { announce, open, statuses } = await setup(t, async (models) => {
    if (models.some(({ cellType }) => cellType === "RPE")) throw new PlatestreamError("invalid-config", "no RPE here");
  });
  const a = await announce({ cellTypes: ["RPE"] });
  const { pool } = await open();
  assert.deepEqual(pool.ready(), []);
  assert.deepEqual(statuses, [{ type: "worker", address: a.address, state: "lost", detail: "no RPE here" }]);
});

test("a loopback address of another machine is nobody here", async (t) => {
  const { directory, open, states } = await setup(t);
  const near = await startFakeWorker(t);
  await directory.put("far", entryOf(near.address, { host: "elsewhere" }));
  const { pool } = await open();
  assert.deepEqual([pool.ready(), states()], [[], []]);
});

test("an address that must not be used is reported once, and the others go on", async (t) => {
  const refused: string[] = [];
  const { announce, open, statuses } = await setup(t, undefined, (address) => {
    if (refused.includes(address)) throw new PlatestreamError("invalid-config", "a token would travel unencrypted");
    return platestreamWorker(address);
  });
  const [a, b] = [await announce(), await announce()];
  refused.push(a.address);
  const { predict, pool } = await open();
  await predict();
  await sleep(100);
  assert.equal(b.predictions.length, 1);
  assert.equal(pool.concurrency, 2);
  assert.equal(statuses.filter((status) => status.type === "worker" && status.address === a.address).length, 1);
});
