import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { read, resultOf, testEvents } from "./suite.ts";

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
