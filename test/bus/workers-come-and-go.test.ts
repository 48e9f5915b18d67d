/** Real processes: nats-server, a node without workers, one that comes, one that comes later, and `kill -9` for the first. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import type { Overview } from "../../pipeline/bus/nats/overview.ts";
import { runPipeline, startPipeline } from "../faults/processes.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { startNatsServer } from "./nats-server.ts";

test("workers come and go while a node runs, and every well is called once", async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  const server = await startNatsServer();
  t.after(() => server.close());
  const bus = ["--bus", server.url];
  const sizes = ["--classes", "24", "--size", "32", "--plates", "2", "--positive-controls", "2"];
  await runPipeline("data", "synth", at("data"), "--experiments", "HUVEC-01..04", ...sizes);
  const size = ["--arch", "densenet-small", "--size", "32"];
  await runPipeline("model", "new", ...size, "--layout", at("data"), "--out", at("model"));
  const seen = async () => JSON.parse(await runPipeline("status", ...bus, "--json")) as Overview;
  const startWorker = async (name: string) => {
    const worker = startPipeline(name, ["worker", ...bus, "--model", at("model"), "--listen", "127.0.0.1:0", "--json"]);
    t.after(() => worker.kill());
    const { address } = await worker.hear(({ type }) => type === "ready");
    return { ...worker, address: address! };
  };

  const submit = (...experiments: string[]) => runPipeline("submit", ...bus, "--data", at("data"), ...experiments);

  const out = ["--data-root", folder, "--out", at("results")];
  const node = startPipeline("node", ["start", ...bus, "--json", "--node", "node", ...out]);
  t.after(() => node.kill());
  await node.hear(({ type, detail }) => type === "bus" && /no worker is there/.test(detail ?? ""));
  await submit("HUVEC-01");
  const before = await seen();
  assert.deepEqual([before.counts.queued, before.counts.running, before.workers], [1, 0, []]);
  assert.deepEqual(before.withoutNode, ["HUVEC"]);

  const first = await startWorker("first");
  await node.hear(({ type }) => type === "site-done");
  const second = await startWorker("second");
  await node.hear((said) => said.address === second.address && said.state === "ready");
  const both = await seen();
  assert.deepEqual(both.workers.map(({ address }) => address).sort(), [first.address, second.address].sort());

  await submit("HUVEC-02", "HUVEC-03", "HUVEC-04");
  await node.hear(({ type, experiment }) => type === "site-done" && experiment !== "HUVEC-01");
  await first.kill();
  await node.hear((said) => said.address === first.address && said.state === "lost");
  for (const id of ["HUVEC-01", "HUVEC-02", "HUVEC-03", "HUVEC-04"]) {
    await node.hear(({ type, experiment }) => type === "experiment-done" && experiment === id);
  }
  node.signal("SIGINT");
  assert.equal(await node.ended, 0);
  const { counts, experiments } = await seen();
  assert.deepEqual(counts, { queued: 0, running: 0, waiting: 0, done: 4, failed: 0 });
  assert.deepEqual(
    experiments.map(({ attempts }) => attempts),
    [1, 1, 1, 1],
  );
  const parts = await openNats({ url: server.url, name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  const last = await natsEvents(parts).last();
  const stop = new AbortController();
  const calls: string[] = [];
  for await (const { seq, value } of natsEvents(parts).follow({}, { after: 0, signal: stop.signal })) {
    if (value.kind === "call") calls.push(`${value.experiment} ${value.plate} ${value.well}`);
    if (seq === last) stop.abort();
  }
  assert.equal(calls.length, 4 * 2 * 27);
  assert.equal(new Set(calls).size, calls.length);
});
