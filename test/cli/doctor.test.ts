import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMachine, inRange } from "../../cli/doctor/checks.ts";
import { measureSpeed } from "../../cli/doctor/measure-speed.ts";
import { packageFile } from "../../common/package-file.ts";

test("doctor - releases of Node are held against the package's ranges", () => {
  const ranges = "^20.20.2 || ^22.22.2 || >=25.8.2";
  assert.deepEqual(
    ["20.20.2", "20.20.1", "20.21.0", "21.9.9", "22.22.2", "24.0.0", "25.8.1", "25.8.2", "26.0.0"].map((version) =>
      inRange(version, ranges),
    ),
    [true, false, true, false, true, false, false, true, true],
  );
});

test("doctor - every check says what it found, and what to do where it is not well", async () => {
  const checks = await checkMachine();
  assert.deepEqual(
    checks.map(({ name }) => name),
    ["Node", "image library", "open files", "memory", "disk", "nats-server"],
  );
  for (const { state, found, advice } of checks) {
    assert.notEqual(found, "");
    assert.equal(advice === undefined, state === "ok");
  }
});

test("doctor - the speed of a bundle is measured for as long as was asked", { timeout: 60_000 }, async () => {
  const { imagesPerSecond, images, seconds, cores } = await measureSpeed(packageFile("models/demo"), 0.2);
  assert.ok(images > 0 && seconds >= 0.2 && cores > 0);
  assert.equal(imagesPerSecond, images / seconds);
});
