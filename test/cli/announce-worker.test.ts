import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { advertisedAddress } from "../../cli/worker/announce-worker.ts";
import { runPipeline } from "../faults/processes.ts";
import { writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";

test("a worker advertises where it listens; any address becomes the name of its machine", () => {
  assert.equal(advertisedAddress("127.0.0.1:7411"), "127.0.0.1:7411");
  assert.equal(advertisedAddress("[::1]:7411"), "[::1]:7411");
  assert.equal(advertisedAddress("0.0.0.0:7411"), `${hostname()}:7411`);
  assert.equal(advertisedAddress("[::]:7411"), `${hostname()}:7411`);
  assert.equal(advertisedAddress("127.0.0.1:7411", "gpu1.lab:443"), "gpu1.lab:443");
});

test("an advertised address without a port is refused with an example", () => {
  for (const wrong of ["gpu1", "http://gpu1:7411", ":7411", "gpu1:port"]) {
    assert.throws(() => advertisedAddress("127.0.0.1:7411", wrong), {
      message: `[invalid-config] --advertise is the HOST:PORT under which nodes reach the worker, for instance gpu1:7411, not "${wrong}"`,
    });
  }
});

test("a worker that cannot announce itself ends, and says why", { timeout: 60_000 }, async (t) => {
  const worker = ["worker", "--model", await writeTinyBundle(t), "--provider", "cpu", "--listen", "127.0.0.1:0"];
  await assert.rejects(
    runPipeline(...worker, "--bus", "nats://127.0.0.1:1"),
    /\[bus-unavailable\] no NATS server answers at 127\.0\.0\.1:1/,
  );
});
