import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { advertisedAddress } from "../../pipeline/cli/announce-worker.ts";

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
