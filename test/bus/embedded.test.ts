import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { testBus } from "./suite.ts";

testBus("embedded", async (t) => {
  const journal = join(await temporaryFolder(t), "bus.json");
  const bus = await openEmbeddedBus({ path: journal });
  t.after(() => bus.close());
  return {
    bus,
    async crash() {
      await bus.close();
      return openEmbeddedBus({ path: journal });
    },
  };
});

test("embedded bus - a clock that is set back during a wait does not lengthen it", async (t) => {
  const bus = await openEmbeddedBus();
  await bus.submit([{ id: "HUVEC-01", cellType: "HUVEC", data: "d" }]);
  const never = new AbortController().signal;
  await (await bus.take(never))!.retry("flaky", 100);
  const now = Date.now();
  t.mock.method(Date, "now", () => now - 7_200_000);
  const again = await Promise.race([bus.take(never), sleep(5_000, undefined, { ref: false })]);
  assert.equal(again?.attempt, 2);
});

for (const text of ["", "{", "null", "{}", '[{"id": 1}]'])
  test(`embedded bus - a journal that is ${text || "empty"} costs the count of attempts, and no experiment`, async (t) => {
    const path = join(await temporaryFolder(t), "bus.json");
    await writeFile(path, text);
    const found: string[] = [];
    const bus = await openEmbeddedBus({ path, onDamage: (what) => found.push(what) });
    assert.match(found.join(), /bus\.json.*attempts count from 1 again/s);
    assert.deepEqual(await bus.submit([{ id: "HUVEC-01", cellType: "HUVEC", data: "d" }]), { queued: 1, known: 0 });
    await bus.close();
  });

test("embedded bus - what the journal holds for done and whose results are gone is called again", async (t) => {
  const path = join(await temporaryFolder(t), "bus.json");
  const refs = ["HUVEC-01", "__proto__"].map((id) => ({ id, cellType: "HUVEC", data: "d" }));
  const bus = await openEmbeddedBus({ path });
  await bus.submit(refs);
  for (let n = 0; n < 2; n++) await (await bus.take(new AbortController().signal))!.done();
  await bus.close();
  const again = await openEmbeddedBus({ path, done: new Set(["HUVEC-01"]) });
  assert.deepEqual(await again.submit(refs), { queued: 1, known: 1 });
  await again.close();
});
