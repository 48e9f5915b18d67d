import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type FileEvents, openFileEvents, readFileEvents, restartFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { read, readStored, resultOf, testEvents } from "./suite.ts";

const path = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "platestream-events-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "events.jsonl");
};
const open = async (t: TestContext, at?: string) => {
  const store = await openFileEvents(at ?? (await path(t)));
  t.after(() => store.close().catch(() => undefined));
  return store;
};
const publisher = (store: Awaited<ReturnType<typeof open>>) => openEventPublisher(store, "a", () => "HUVEC");

testEvents("events in a file", open);

test("events in a file - another process goes on with the next number, and publishes nothing twice", async (t) => {
  const at = await path(t);
  const first = await open(t, at);
  await publisher(first).publishResult(resultOf("HUVEC-01", 3));
  await first.append(
    { ...(await read(first, {}, 1))[0]!.value, experiment: "HUVEC-02" },
    { id: "HUVEC-02 1 B2", once: true },
  );
  await first.close();
  await appendFile(at, '{"event":{"kind":"call","experiment":"HUVEC-02","pl'); // kill -9 in the middle of a line

  const second = await open(t, at);
  assert.equal(await second.last(), 8);
  for (const id of ["HUVEC-01", "HUVEC-02"]) await publisher(second).publishResult(resultOf(id, 3));
  const events = await read(second, {}, 14);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    Array.from({ length: 14 }, (_, i) => i + 1),
  );
  assert.equal(await second.last(), 14);
  const lines = (await readFile(at, "utf8")).trimEnd().split("\n");
  assert.equal(new Set(lines.map((line) => JSON.parse(line).once)).size, 14);
});

test("events in a file - a follower reads the rest of what is over, and ends", async (t) => {
  const store = await open(t);
  const following = (async () => {
    let count = 0;
    for await (const _ of store.follow({}, { after: 0, signal: new AbortController().signal })) count += 1;
    return count;
  })();
  await publisher(store).publishResult(resultOf("HUVEC-01", 4));
  store.end();
  assert.equal(await following, 9);
});

test("events in a file - after a fresh start the numbers go on, so that no subscriber misses what comes", async (t) => {
  const at = await path(t);
  const first = await openFileEvents(at);
  await publisher(first).publishResult(resultOf("HUVEC-01", 3));
  await first.close();
  await restartFileEvents(at);
  const second = await openFileEvents(at);
  t.after(() => second.close());
  assert.equal(await second.last(), 7);
  await publisher(second).publishResult(resultOf("HUVEC-01", 3));
  second.end();
  const numbers = async (store: Pick<FileEvents, "follow">, after: number) => {
    const seen: number[] = [];
    for await (const { seq } of store.follow({}, { after, signal: new AbortController().signal })) seen.push(seq);
    return seen;
  };
  for (const store of [second, readFileEvents(at)]) {
    assert.deepEqual(await numbers(store, 0), [8, 9, 10, 11, 12, 13, 14]);
    assert.deepEqual(await numbers(store, 12), [13, 14]);
    await assert.rejects(
      numbers(store, 15),
      /\[invalid-request\] the last event here has number 14, so nothing can come/,
    );
  }
});

for (const [kind, damage] of Object.entries<(path: string) => Promise<unknown>>({
  emptied: (path) => truncate(path),
  deleted: (path) => rm(path),
  "cut off between events": async (path) => {
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `${lines.slice(0, 4).join("\n")}\n`);
  },
  "flipped in a bit": async (path) => {
    const bytes = await readFile(path);
    bytes[0]! ^= 1;
    await writeFile(path, bytes);
  },
  "another's": (path) => writeFile(path, "well,call\nB02,7\n"),
}))
  test(`events in a file - one that is ${kind} is noticed, and numbers go on where none was`, async (t) => {
    const at = await path(t);
    const first = await openFileEvents(at);
    await publisher(first).publishResult(resultOf("HUVEC-01", 3));
    await first.close();
    await damage(at);
    const found: string[] = [];
    const second = await openFileEvents(at, { published: ["HUVEC-01"], onDamage: (what) => found.push(what) });
    t.after(() => second.close());
    assert.equal(found.length, 1);
    assert.match(found[0]!, /events\.jsonl/);
    assert.ok((await second.last()) > 1e9);
    await publisher(second).publishResult(resultOf("HUVEC-01", 3));
    assert.equal((await readStored(second, { kinds: ["call"] })).length, 6);
  });
