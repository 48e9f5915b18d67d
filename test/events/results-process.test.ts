/** Real processes: a run and a node that serve results, and `pipeline results` that follows them. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { Numbered } from "../../pipeline/events/event.ts";
import { startNatsServer } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, [main, ...args], { timeout: 60_000 })).stdout;

/** Starts it, and resolves with the address at which it serves results. */
const serving = async (t: TestContext, args: readonly string[]) => {
  const child = spawn(process.execPath, [main, "start", ...args, "--results-listen", "127.0.0.1:0", "--json"]);
  t.after(() => child.kill("SIGKILL"));
  child.stderr.resume();
  for await (const line of createInterface({ input: child.stdout })) {
    const { type, detail } = JSON.parse(line);
    if (type !== "results-service") continue;
    child.stdout.resume();
    return { child, address: /[\d.]+:\d+$/.exec(detail)![0] };
  }
  throw new Error("it ended without serving results");
};
const eventsOf = (text: string): (Numbered["value"] & { seq: number })[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const wells = (events: ReturnType<typeof eventsOf>) =>
  new Set(
    events.flatMap((event) => (event.kind === "call" ? [`${event.experiment} ${event.plate} ${event.well}`] : [])),
  );

const prepare = async (t: TestContext) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  const sizes = ["--classes", "6", "--size", "32", "--plates", "2", "--positive-controls", "2"];
  await pipeline("data", "synth", at("data"), "--experiments", "HUVEC-01..03", ...sizes);
  const model = ["--arch", "densenet-small", "--size", "32", "--layout", at("data")];
  await pipeline("model", "new", ...model, "--out", at("model"));
  return { folder, at };
};

test("a run serves its events until it is over, and leaves them in its folder", async (t) => {
  const { at } = await prepare(t);
  const { child, address } = await serving(t, ["--data", at("data"), "--model", at("model"), "--out", at("run")]);
  const [followed] = await Promise.all([
    pipeline("results", "--server", address, "--follow", "--json"),
    once(child, "exit"),
  ]);
  const events = eventsOf(followed);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  assert.equal(wells(events).size, 3 * 2 * 9);
  assert.equal(events.filter((event) => event.kind === "state" && event.state === "done").length, 3);
  assert.deepEqual(eventsOf(await pipeline("results", "--run", at("run"), "--json")), events);
  assert.equal((await readFile(join(at("run"), "calls.csv"), "utf8")).trimEnd().split("\n").length, 1 + 3 * 2 * 9);

  const table = await pipeline("results", "--run", at("run"), "--kind", "state", "--experiment", "HUVEC-02");
  assert.match(table, /HUVEC-02 +queued\n.*running\n.*done: 18 wells called/s);
});

test("a node serves the events of its bus, with the bus's numbers", async (t) => {
  const { folder, at } = await prepare(t);
  const server = await startNatsServer();
  t.after(() => server.close());
  const url = server.namespace();
  const node = ["--bus", url, "--data-root", folder, "--model", at("model"), "--out", at("node")];
  const { child, address } = await serving(t, node);
  await pipeline("submit", "--bus", url, "--data", at("data"));
  const follower = spawn(process.execPath, [main, "results", "--server", address, "--follow", "--json"]);
  t.after(() => follower.kill("SIGKILL"));
  const lines: string[] = [];
  for await (const line of createInterface({ input: follower.stdout })) {
    lines.push(line);
    if (lines.filter((each) => each.includes('"state":"done"')).length === 3) break;
  }
  follower.kill("SIGINT");
  assert.deepEqual(await once(follower, "exit"), [0, null]);
  assert.equal(wells(eventsOf(lines.join("\n"))).size, 3 * 2 * 9);
  assert.deepEqual(eventsOf(await pipeline("results", "--bus", url, "--json")), eventsOf(lines.join("\n")));
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
