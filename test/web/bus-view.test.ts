/** The plate map of a bus, from a node of it and from a command of its own, and of a results service: what each tells. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { fromColumns } from "../../web/columns.ts";
import type { Snapshot } from "../../web/protocol.ts";
import { startNatsServer } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = (...args: string[]) => promisify(execFile)(process.execPath, [main, ...args], { timeout: 60_000 });

interface Started {
  readonly child: ChildProcess;
  /** Resolves to what the pattern captures, in a line that the command writes to either stream. */
  says(pattern: RegExp): Promise<string>;
}

const start = (t: TestContext, ...args: string[]): Started => {
  const child = spawn(process.execPath, [main, ...args, "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", (line) => lines.push(line));
  return {
    child,
    async says(pattern) {
      for (const until = Date.now() + 90_000; Date.now() < until; await sleep(50)) {
        const found = lines.map((line) => pattern.exec(line)?.[1]).find((each) => each !== undefined);
        if (found !== undefined) return found;
      }
      throw new Error(`${args[0]} did not say ${pattern}; it said last:\n${lines.slice(-10).join("\n")}`);
    },
  };
};

/** Asks until the page's server tells of all calls of the experiment. */
const calledOn = async (url: string): Promise<Snapshot> => {
  let last: Snapshot | undefined;
  for (const until = Date.now() + 90_000; Date.now() < until; await sleep(100)) {
    last = (await (await fetch(`${url}/api/screen`)).json()) as Snapshot;
    if (last.experiments.some(({ state }) => state === "done")) return last;
  }
  throw new Error(`${url} tells of no experiment that is done; it told last: ${JSON.stringify(last?.experiments)}`);
};

const callsOf = ({ wells }: Snapshot): string[] =>
  fromColumns(wells)
    .map(({ experiment, plate, well, call, probability }) => `${experiment} ${plate} ${well} ${call} ${probability}`)
    .sort();

test("a node of a bus, a view of the bus and one of a results service tell the same calls", {
  timeout: 230_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  const server = await startNatsServer();
  t.after(() => server.close());
  const bus = server.namespace();
  const sizes = ["--classes", "24", "--size", "32", "--plates", "2", "--positive-controls", "2"];
  await pipeline("data", "synth", at("data"), "--experiments", "HUVEC-01", ...sizes);
  await pipeline(
    "model",
    "new",
    "--arch",
    "densenet-small",
    "--size",
    "32",
    "--layout",
    at("data"),
    "--out",
    at("model"),
  );
  await pipeline("submit", "--bus", bus, "--data", at("data"));
  const node = start(
    t,
    ...["start", "--bus", bus, "--node", "one", "--data-root", folder, "--model", at("model"), "--out", at("out")],
    ...["--view", "127.0.0.1:0", "--results-listen", "127.0.0.1:0"],
  );
  const own = await node.says(/"detail":"the plate map is at (http:[^"]+)"/);
  const results = await node.says(/"results-service".*?(127\.0\.0\.1:\d+)/);
  const views = [
    start(t, "view", "--bus", bus, "--listen", "127.0.0.1:0"),
    start(t, "view", "--server", results, "--listen", "127.0.0.1:0"),
  ];
  const urls = [own, ...(await Promise.all(views.map((view) => view.says(/"url":"(http:[^"]+)"/))))];
  const [first, ...others] = await Promise.all(urls.map(calledOn));
  assert.ok(callsOf(first!).length > 40, `${callsOf(first!).length} wells`);
  for (const other of others) assert.deepEqual(callsOf(other), callsOf(first!));
  assert.deepEqual(
    first!.activity.nodes.map((each) => each.node),
    ["one"],
  );
});
