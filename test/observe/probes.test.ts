import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { get as getEncrypted } from "node:https";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { openMetrics } from "../../common/observe/metrics.ts";
import { serveProbes } from "../../common/observe/probes.ts";
import { readIdentityFiles } from "../../common/security/tls.ts";
import { newAuthority } from "../security/certificates.ts";

const served = async (t: TestContext, notReady: () => string | undefined = () => undefined) => {
  const metrics = openMetrics();
  const probes = await serveProbes({ listen: "127.0.0.1:0", insecure: false, metrics, notReady });
  t.after(() => probes.close());
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${probes.url}${path}`, init);
    return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
  };
  return { metrics, get, probes };
};

test("/metrics has counters as they stand and gauges as they are read, without series that are gone", async (t) => {
  const { metrics, get } = await served(t);
  const count = metrics.counter("things_total", "Things.", ["kind"]);
  let load = new Map([["a", 3]]);
  metrics.gauge("load", "Load.", ["worker"], () => [...load].map(([worker, value]) => [{ worker }, value] as const));
  count({ kind: "x" });
  count({ kind: "x" }, 2);
  const first = await get("/metrics");
  assert.equal(first.status, 200);
  assert.equal(first.type, "text/plain; version=0.0.4; charset=utf-8");
  assert.match(first.text, /^# TYPE things_total counter\nthings_total\{kind="x"\} 3$/m);
  assert.match(first.text, /^load\{worker="a"\} 3$/m);
  assert.match(first.text, /^process_resident_memory_bytes \d+$/m);
  load = new Map([["b", 5]]);
  const second = await get("/metrics");
  assert.match(second.text, /^load\{worker="b"\} 5$/m);
  assert.doesNotMatch(second.text, /worker="a"/);
});

test("two sets of metrics in one process know nothing of each other", async (t) => {
  const [one, other] = [await served(t), await served(t)];
  one.metrics.counter("things_total", "Things.", ["kind"])({ kind: "x" });
  other.metrics.counter("things_total", "Things.", ["kind"]);
  assert.match((await one.get("/metrics")).text, /kind="x"/);
  assert.doesNotMatch((await other.get("/metrics")).text, /kind="x"/);
});

test("/readyz is 503 with the reason while it is not ready; /healthz is 200 all along", async (t) => {
  let reason: string | undefined = "loading the networks";
  const { get } = await served(t, () => reason);
  assert.deepEqual(await get("/readyz"), {
    status: 503,
    type: "text/plain; charset=utf-8",
    text: "loading the networks\n",
  });
  assert.equal((await get("/healthz")).status, 200);
  reason = undefined;
  assert.equal((await get("/readyz")).status, 200);
});

test("other paths and methods are refused", async (t) => {
  const { get } = await served(t);
  assert.equal((await get("/")).status, 404);
  assert.equal((await get("/metrics", { method: "POST", body: "x" })).status, 405);
});

test("an address that is taken or malformed is an error with the way out", async (t) => {
  const { probes } = await served(t);
  const options = { insecure: false, metrics: openMetrics(), notReady: () => undefined };
  await assert.rejects(
    serveProbes({ ...options, listen: new URL(probes.url).host }),
    /\[invalid-config\] .*EADDRINUSE/,
  );
  await assert.rejects(serveProbes({ ...options, listen: "9090" }), /--metrics-listen is HOST:PORT/);
  await assert.rejects(serveProbes({ ...options, listen: "0.0.0.0:0" }), /other hosts/);
});

test("other hosts are answered encrypted, or when somebody says --insecure; loopback is always plain", async (t) => {
  const authority = await newAuthority(t);
  const { cert: tlsCert, key: tlsKey } = await authority.certify("probes");
  const identity = await readIdentityFiles({ tlsCert, tlsKey });
  const serve = async (listen: string, changes: { insecure?: boolean; identity?: typeof identity }) => {
    const options = { insecure: false, metrics: openMetrics(), notReady: () => undefined };
    const probes = await serveProbes({ ...options, listen, ...changes });
    t.after(() => probes.close());
    return new URL(probes.url);
  };
  await assert.rejects(serve("0.0.0.0:0", {}), /other hosts/);
  assert.equal((await serve("0.0.0.0:0", { insecure: true })).protocol, "http:");
  assert.equal((await serve("127.0.0.1:0", { identity })).protocol, "http:");
  const { protocol, port } = await serve("0.0.0.0:0", { identity });
  assert.equal(protocol, "https:");
  const ca = await readFile(authority.ca);
  const [response] = await once(getEncrypted(`https://127.0.0.1:${port}/readyz`, { ca }), "response");
  response.resume();
  assert.equal(response.statusCode, 200);
});

test("a path that is not a URL gets an answer, and ends nothing", async (t) => {
  const { probes, get } = await served(t);
  const { port, hostname } = new URL(probes.url);
  for (const path of ["//", "http://[", "/\\\\/%00", "*"]) {
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1\.1 40[04] /, path);
    socket.destroy();
  }
  assert.equal((await get("/healthz")).status, 200);
});
