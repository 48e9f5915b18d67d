import assert from "node:assert/strict";
import { test } from "node:test";
import { hostAndPort, isLoopback, listenAddress } from "../../common/security/listen-address.ts";

const rule = { option: "--listen", who: "the worker", encrypted: false, insecure: false };

test("loopback needs neither TLS nor a flag", () => {
  assert.deepEqual(listenAddress("127.0.0.1:7411", rule), { host: "127.0.0.1", port: 7411 });
  assert.deepEqual(listenAddress("127.9.9.9:0", rule), { host: "127.9.9.9", port: 0 });
  assert.deepEqual(listenAddress("localhost:1", rule), { host: "localhost", port: 1 });
  assert.deepEqual(listenAddress("[::1]:65535", rule), { host: "::1", port: 65535 });
});

test("an address that other hosts can reach needs TLS or --insecure", () => {
  for (const address of ["0.0.0.0:7411", "[::]:7411", "10.0.0.5:0", "gpu1:7411", "127.0.0.1.example.org:1"]) {
    assert.throws(() => listenAddress(address, rule), {
      code: "invalid-config",
      rawMessage:
        `--listen ${address} would let other hosts in, and the worker would not encrypt: ` +
        "give it --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure in a network that you trust",
    });
    listenAddress(address, { ...rule, encrypted: true });
    listenAddress(address, { ...rule, insecure: true });
  }
});

test("what is not an address is refused, whatever is encrypted", () => {
  for (const text of ["", "7411", ":7411", "127.0.0.1", "127.0.0.1:70000", "::1:7411", "[::1]", "a b:1", "x:-1"]) {
    assert.throws(() => listenAddress(text, { ...rule, encrypted: true }), /\[invalid-config\] --listen is HOST:PORT/);
  }
});

test("loopback is distinguished from its look-alikes", () => {
  for (const host of ["localhost", "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1"]) assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "localhost.example.org", "128.0.0.1", "1127.0.0.1", "::1.example"]) {
    assert.ok(!isLoopback(host), host);
  }
});

test("an IPv6 address is written in brackets", () => {
  assert.equal(hostAndPort("::1", 7411), "[::1]:7411");
  assert.equal(hostAndPort("127.0.0.1", 7411), "127.0.0.1:7411");
});
