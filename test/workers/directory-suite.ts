/** What every directory of workers does, wherever it keeps its entries. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { announceWorker, type WorkerDirectory, type WorkerEntry } from "../../pipeline/workers/directory.ts";

export const entryOf = (address: string, entry: Partial<WorkerEntry> = {}): WorkerEntry => ({
  address,
  host: "gpu-1",
  pid: 1,
  models: [{ name: "fake", cellType: "HUVEC", version: "v1", trained: true }],
  runtime: "fake",
  provider: "cpu",
  maxBatch: 64,
  load: 0,
  since: "2026-01-01T00:00:00.000Z",
  version: "0.1.0",
  ...entry,
});

export interface OpenedDirectory {
  readonly directory: WorkerDirectory;
  /** Entries that were not written for so long have vanished. */
  readonly forgetMs: number;
}

const everyMs = 100;

export const testDirectory = (name: string, open: (t: TestContext) => Promise<OpenedDirectory>): void => {
  test(`${name} directory - workers are in it from their announcement to their end`, async (t) => {
    const { directory } = await open(t);
    assert.deepEqual(await directory.all(), []);
    const [a, b] = [entryOf("127.0.0.1:1"), entryOf("[::1]:2")];
    const [first, second] = [await announceWorker(directory, () => a), await announceWorker(directory, () => b)];
    const all = [...(await directory.all())].sort((one, other) => other.address.localeCompare(one.address));
    assert.deepEqual(all, [a, b]);
    await first.close();
    assert.deepEqual(await directory.all(), [b]);
    await second.close();
    assert.deepEqual(await directory.all(), []);
  });

  test(`${name} directory - an entry stays while the worker renews it, and says how it is now`, async (t) => {
    const { directory, forgetMs } = await open(t);
    let load = 0;
    const { close } = await announceWorker(directory, () => entryOf("127.0.0.1:1", { load: load++ }), everyMs);
    await sleep(2 * forgetMs);
    const [entry] = await directory.all();
    assert.ok(entry!.load > forgetMs / everyMs, `it was written ${entry!.load} times`);
    await close();
  });

  test(`${name} directory - a worker that dies without a word vanishes`, async (t) => {
    const { directory, forgetMs } = await open(t);
    await directory.put("dead", entryOf("127.0.0.1:1"));
    assert.equal((await directory.all()).length, 1);
    const died = Date.now();
    while ((await directory.all()).length > 0) {
      assert.ok(Date.now() < died + forgetMs + 5_000, "it is still there");
      await sleep(50);
    }
  });

  test(`${name} directory - a worker that was started again takes the place of the one before`, async (t) => {
    const { directory } = await open(t);
    await announceOnce(directory, entryOf("127.0.0.1:1", { since: "before" }));
    await announceOnce(directory, entryOf("127.0.0.1:1", { since: "after" }));
    assert.deepEqual(
      (await directory.all()).map(({ since }) => since),
      ["after"],
    );
  });

  test(`${name} directory - workers of two machines may have the same loopback address`, async (t) => {
    const { directory } = await open(t);
    await announceOnce(directory, entryOf("127.0.0.1:1", { host: "gpu-1" }));
    await announceOnce(directory, entryOf("127.0.0.1:1", { host: "gpu-2" }));
    assert.equal((await directory.all()).length, 2);
  });
};

/** As a worker that is killed right afterwards. */
const announceOnce = async (directory: WorkerDirectory, entry: WorkerEntry): Promise<void> => {
  const { close } = await announceWorker({ ...directory, remove: async () => undefined }, () => entry);
  await close();
};
