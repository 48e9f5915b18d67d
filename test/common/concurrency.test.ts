import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { from, lastValueFrom, toArray } from "rxjs";
import { mapOrdered, mapUnordered } from "../../common/concurrency.ts";

const collect = <T>(items: Parameters<typeof from<import("rxjs").Observable<T>>>[0]) =>
  lastValueFrom(from(items).pipe(toArray()));

for (const [name, mapping] of [
  ["mapOrdered", mapOrdered],
  ["mapUnordered", mapUnordered],
] as const) {
  test(`${name} - runs no more than the bound at a time and maps every item`, async () => {
    let running = 0;
    let most = 0;
    const results = await collect(
      from(Array.from({ length: 50 }, (_, i) => i)).pipe(
        mapping(4, async (i: number) => {
          most = Math.max(most, ++running);
          await sleep(Math.random() * 3);
          running -= 1;
          return i * 2;
        }),
      ),
    );
    assert.equal(most, 4);
    assert.deepEqual(
      [...results].sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, i) => i * 2),
    );
  });
}

test("mapOrdered - emits in the order of the items, however long each takes", async () => {
  const results = await collect(
    from([30, 1, 20, 2]).pipe(
      mapOrdered(3, async (ms: number) => {
        await sleep(ms);
        return ms;
      }),
    ),
  );
  assert.deepEqual(results, [30, 1, 20, 2]);
});

test("mapOrdered - an error of one item is an error of the stream", async () => {
  const failing = from([1, 2, 3]).pipe(
    mapOrdered(2, async (i: number) => {
      if (i === 2) throw new Error("two");
      return i;
    }),
  );
  await assert.rejects(lastValueFrom(failing.pipe(toArray())), { message: "two" });
});

test("mapOrdered - an empty source completes", async () => {
  assert.deepEqual(await collect(from([] as number[]).pipe(mapOrdered(2, async (i: number) => i))), []);
});

test("mapUnordered - a bound that changes on the way counts from then on", async () => {
  let bound = 1;
  let running = 0;
  const seen: number[] = [];
  const items = from(Array.from({ length: 12 }, (_, i) => i));
  const mapped = mapUnordered(
    () => bound,
    async (i: number) => {
      seen.push(++running);
      await sleep(2);
      if (i === 3) bound = 4;
      if (i === 7) bound = 1;
      running -= 1;
      return i;
    },
  );
  assert.equal((await collect(items.pipe(mapped))).length, 12);
  assert.deepEqual(seen.slice(0, 4), [1, 1, 1, 1]);
  assert.equal(Math.max(...seen), 4);
  assert.equal(seen.at(-1), 1);
});
