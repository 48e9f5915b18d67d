import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { from, lastValueFrom, toArray } from "rxjs";
import { learnFromSample } from "../../pipeline/stage/sample.ts";
import { contextFor } from "../kit/context.ts";

const { context } = contextFor({ id: "HUVEC-01", cellType: "HUVEC", plates: ["a", "b"], sites: [] });

const run = (items: string[], enough: number, learn: (sample: readonly string[]) => Promise<string>) =>
  lastValueFrom(
    from(items).pipe(
      learnFromSample({ context, domain: (item) => item[0]!, weight: () => 1, enough, learn }),
      toArray(),
    ),
  );

test("learnFromSample - learns from the first items of a domain and gives it to all of them", async () => {
  const samples: string[] = [];
  const out = await run(["a1", "a2", "a3", "b1"], 2, async (sample) => {
    samples.push(sample.join("+"));
    await sleep(5);
    return sample.join("+");
  });
  assert.deepEqual(samples, ["a1+a2", "b1"]);
  assert.deepEqual(out.sort(), [
    ["a1", "a1+a2"],
    ["a2", "a1+a2"],
    ["a3", "a1+a2"],
    ["b1", "b1"],
  ]);
});

test("learnFromSample - a domain that ends before it has enough is learnt from what there is", async () => {
  const out = await run(["a1", "b1", "b2"], 10, async (sample) => sample.join("+"));
  assert.deepEqual(out, [
    ["a1", "a1"],
    ["b1", "b1+b2"],
    ["b2", "b1+b2"],
  ]);
});

test("learnFromSample - a late item is given what its domain has learnt", async () => {
  let learnt = 0;
  const out = await run(["a1", "b1", "a2"], 1, async (sample) => `${sample[0]} ${++learnt}`);
  assert.deepEqual(
    out.filter(([item]) => item === "a2"),
    [["a2", "a1 1"]],
  );
});

test("learnFromSample - what cannot be learnt is an error of the stream", async () => {
  await assert.rejects(
    run(["a1"], 1, async () => {
      throw new Error("no");
    }),
    { message: "no" },
  );
});
