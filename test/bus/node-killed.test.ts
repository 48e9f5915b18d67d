/** Real processes: nats-server, two nodes with a worker each, and `kill -9` for the one that has work in hand. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import type { Overview } from "../../pipeline/bus/nats/overview.ts";
import type { CallEvent } from "../../pipeline/events/event.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { startNatsServer } from "./nats-server.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [main, ...args], { timeout: 60_000 })).stdout;

const startNode = (t: TestContext, args: readonly string[]): ChildProcess => {
  const child = spawn(process.execPath, [main, "start", ...args], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  return child;
};

/** `experiment plate well` -> what is called, in the order of the names. */
const callsOn = async (t: TestContext, url: string): Promise<(readonly [string, string])[]> => {
  const parts = await openNats({ url, name: "test", onConnection: () => {} });
  t.after(() => parts.nc.close());
  const last = await natsEvents(parts).last();
  const stop = new AbortController();
  const calls: (readonly [string, string])[] = [];
  for await (const { seq, value } of natsEvents(parts).follow({}, { after: 0, signal: stop.signal })) {
    if (value.kind === "call") calls.push(called(value));
    if (seq === last) stop.abort();
  }
  return calls.sort(([a], [b]) => (a < b ? -1 : 1));
};
const called = ({ experiment, plate, well, treatment, probability }: CallEvent) =>
  [`${experiment} ${plate} ${well}`, `${treatment} ${probability}`] as const;

test("kill -9 of a node - another one takes over, and every well is called once, as without the fault", async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  const server = await startNatsServer();
  t.after(() => server.close());
  const sizes = ["--classes", "24", "--size", "32", "--plates", "2", "--positive-controls", "2"];
  await pipeline("data", "synth", at("data"), "--experiments", "HUVEC-01..04", ...sizes);
  const network = ["--arch", "densenet-small", "--size", "32", "--layout", at("data")];
  await pipeline("model", "new", ...network, "--out", at("model"));
  const node = (url: string, name: string) => [
    ...["--bus", url, "--node", name, "--data-root", folder, "--model", at("model")],
    ...["--out", at(name), "--lost-after", "2", "--until-empty"],
  ];

  const [calm, faulty] = [server.namespace(), server.namespace()];
  for (const url of [calm, faulty]) await pipeline("submit", "--bus", url, "--data", at("data"));
  const undisturbed = startNode(t, node(calm, "calm"));
  assert.deepEqual(await once(undisturbed, "exit"), [0, null]);

  const first = startNode(t, node(faulty, "first"));
  const seen = async () => JSON.parse(await pipeline("status", "--bus", faulty, "--json")) as Overview;
  while (!(await seen()).running.some((each) => each.node === "first")) await sleep(50);
  first.kill("SIGKILL");
  await once(first, "exit");
  const after = await seen();
  assert.ok(after.counts.running > 0, "it was killed with work in hand");

  const second = startNode(t, node(faulty, "second"));
  assert.deepEqual(await once(second, "exit"), [0, null]);
  const { counts, experiments } = await seen();
  assert.deepEqual(counts, { queued: 0, running: 0, waiting: 0, done: 4, failed: 0 });
  assert.ok(experiments.some(({ attempts, node: by }) => attempts === 2 && by === "second"));

  const expected = await callsOn(t, calm);
  assert.equal(new Set(expected.map(([well]) => well)).size, 4 * 2 * 27);
  assert.deepEqual(await callsOn(t, faulty), expected);
  assert.ok((await readdir(join(at("second"), "experiments"))).length > 0);
});
