/** Real processes: a bus with roles and TLS, a worker with mutual TLS and tokens, a node that finds it, a gateway. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Overview } from "../../pipeline/bus/nats/overview.ts";
import { runPipeline, startPipeline } from "../faults/processes.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { newAuthority } from "./certificates.ts";
import { type BusRole, passwordOf, startDocumented } from "./configured-nats-server.ts";
import { writeTokens } from "./guarded-worker.ts";

test("an experiment goes from a gateway to its calls, encrypted and with a login at every step", async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  const lab = await newAuthority(t);
  const [server, client] = [await lab.certify("server"), await lab.certify("client")];
  const { address, violations } = await startDocumented(
    t,
    `\ntls { cert_file: "${server.cert}", key_file: "${server.key}", ca_file: "${lab.ca}", verify: true }\n`,
  );
  const { file: tokens, tokenOf } = await writeTokens(t);
  const bus = async (role: BusRole): Promise<string[]> => {
    await writeFile(at(`${role}.yaml`), `user: ${role}\npassword: ${passwordOf(role)}\n`);
    const tls = ["--bus-tls-ca", lab.ca, "--bus-tls-cert", client.cert, "--bus-tls-key", client.key];
    return ["--bus", `nats://${address}`, "--bus-creds", at(`${role}.yaml`), ...tls];
  };
  const served = ["--tls-cert", server.cert, "--tls-key", server.key, "--tls-client-ca", lab.ca, "--tokens", tokens];
  const known = ["--tls-ca", lab.ca, "--tls-cert", client.cert, "--tls-key", client.key, "--token-file"];
  const any = ["--listen", "127.0.0.1:0", "--json"];

  await runPipeline("data", "synth", at("data"), "--experiments", "HUVEC-01", "--classes", "8", "--size", "32");
  const network = ["--arch", "densenet-small", "--size", "32", "--layout", at("data")];
  await runPipeline("model", "new", ...network, "--out", at("model"));
  const start = (name: string, ...args: string[]) => {
    const started = startPipeline(name, args);
    t.after(() => started.kill());
    return started;
  };
  const worker = start("worker", "worker", ...(await bus("worker")), ...served, ...any, "--model", at("model"));
  await worker.hear(({ type }) => type === "ready");
  const args = ["--data-root", at("data"), "--out", at("results"), "--json"];
  const results = ["--results-listen", "127.0.0.1:0", "--tokens", tokens, "--tls-client-ca", lab.ca];
  const node = start("node", "start", ...(await bus("node")), ...known, tokenOf("predict"), ...args, ...results);
  await node.hear(({ type, state }) => type === "worker" && state === "ready");
  const gateway = start(
    "gateway",
    "gateway",
    ...(await bus("submitter")),
    ...served,
    ...any,
    "--data-root",
    at("data"),
  );
  const { address: gate } = await gateway.hear(({ type }) => type === "ready");

  await runPipeline("submit", "--gateway", gate!, "--data", at("data"), ...known, tokenOf("submit"));
  await node.hear(({ type, experiment }) => type === "experiment-done" && experiment === "HUVEC-01");
  const { detail } = await node.hear(({ detail }) => /results are served on/.test(detail ?? ""));
  const follow = ["results", "--server", detail!.split(" ").at(-1)!, "--json", ...known];
  const calls = (text: string) => text.split("\n").filter((line) => line.includes('"kind":"call"')).length;
  const streamed = calls(await runPipeline(...follow, tokenOf("subscribe")));
  assert.ok(streamed > 0);
  await assert.rejects(runPipeline(...follow, tokenOf("predict")), /\[permission-denied\].* the role subscribe/);
  assert.equal(calls(await runPipeline("results", ...(await bus("subscriber")), "--json")), streamed);

  for (const process of [gateway, node, worker]) {
    process.signal("SIGTERM");
    assert.equal(await process.ended, 0);
  }
  const seen = JSON.parse(await runPipeline("status", ...(await bus("submitter")), "--json")) as Overview;
  assert.deepEqual([seen.counts.done, seen.nodes, seen.workers], [1, [], []]);
  assert.deepEqual(violations(), []);
});
