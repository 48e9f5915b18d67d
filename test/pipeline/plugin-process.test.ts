/** Plugins that do what they should not, in a run of their own: what the user sees. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startFakeWorker } from "../workers/fake-worker.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
let folder: string;

const pipeline = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr }),
    );
  });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "platestream-"));
  const sizes = ["--classes", "4", "--size", "16", "--plates", "1", "--positive-controls", "1"];
  const { code, stderr } = await pipeline("data", "synth", "data", "--experiments", "HUVEC-01", ...sizes);
  assert.equal(code, 0, stderr);
});
after(() => rm(folder, { recursive: true, force: true }));

/** Writes a plugin that maps images, and the configuration of a run with it behind `decode`. */
const withPlugin = async (t: TestContext, name: string, body: string, top = ""): Promise<string> => {
  const { address } = await startFakeWorker(t, { channels: 6 });
  await writeFile(
    join(folder, `${name}.mjs`),
    `import { defineStage, z } from "platestream/plugin";
import { map, tap } from "rxjs";
${top}
export default defineStage({
  name: "mine", description: "a trial", input: "site-image", output: "site-image", config: z.strictObject({}),
  apply: () => ${body},
});`,
  );
  const rest = ["normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"];
  const stages = ["decode", `./${name}.mjs`, ...rest];
  const config = {
    data: join(folder, "data"),
    out: join(folder, `${name}-out`),
    workers: [address],
    attempts: 1,
    stages,
  };
  await writeFile(join(folder, `${name}.json`), JSON.stringify(config));
  return `${name}.json`;
};

test("what a plugin throws is reported with file, line and stack", async (t) => {
  const config = await withPlugin(
    t,
    "throws",
    "map((image) => helper(image))",
    "const helper = (image) => image.nothing.length;",
  );
  const { code, stderr } = await pipeline("start", "--config", config);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /stage mine of plugin \.\/throws\.mjs \(.*throws\.mjs:3:\d+\), experiment HUVEC-01, item plate 1 well/,
  );
  assert.match(stderr, /\n {4}at helper \(.*throws\.mjs:3:\d+\)\n {4}at .*throws\.mjs:6:\d+/);
});

test("output of another type is the fault of the stage that gave it", async (t) => {
  const config = await withPlugin(
    t,
    "floats",
    "map((image) => ({ ...image, pixels: Float32Array.from(image.pixels) }))",
  );
  const { code, stderr } = await pipeline("start", "--config", config);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /stage mine of plugin \.\/floats\.mjs, experiment HUVEC-01.*: the pixels of "site-image" must be/,
  );
  assert.match(stderr, /it gave Float32Array of \d+/);
});

test("a plugin that ends the process is named, and the run does not look finished", async (t) => {
  const config = await withPlugin(t, "exits", "tap(() => process.exit(0))");
  const { code, stderr } = await pipeline("start", "--config", config);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /stage mine of plugin \.\/exits\.mjs \(.*exits\.mjs:6:\d+\), experiment HUVEC-01.*: it ended the process, with exit code 0/,
  );
});

test("what a plugin logs goes to stderr, and --json stays JSON", async (t) => {
  const config = await withPlugin(t, "logs", 'tap(() => console.log("a word"))');
  const { code, stdout, stderr } = await pipeline("start", "--config", config, "--json");
  assert.equal(code, 0, stderr);
  for (const line of stdout.trimEnd().split("\n")) JSON.parse(line);
  assert.match(stderr, /a word/);
});

test("retaining and releasing that do not match are noticed", async (t) => {
  const config = await withPlugin(t, "unbalanced", "tap((image) => image.lease.retain())");
  const { code, stderr, stdout } = await pipeline("start", "--config", config);
  assert.equal(code, 0, stderr);
  assert.match(stdout + stderr, /the pixels of \d+ images were retained more often than they were released/);
});

test("a plugin that does not finish loading is named", async (t) => {
  const config = await withPlugin(t, "waits", "map((image) => image)", "await new Promise(() => undefined);");
  const { code, stderr } = await pipeline("start", "--config", config);
  assert.equal(code, 2);
  assert.match(stderr, /plugin \.\/waits\.mjs has not loaded within 10 s/);
});

const heard = (child: ChildProcess): { text: string } => {
  const all = { text: "" };
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (all.text += chunk));
  return all;
};

test("the third signal ends a run whose plugin never returns", async (t) => {
  const config = await withPlugin(t, "loops", 'map(() => { console.log("looping"); for (;;); })');
  const child = spawn(process.execPath, [main, "start", "--config", config], { cwd: folder });
  t.after(() => child.kill("SIGKILL"));
  const output = heard(child);
  for (let waited = 0; !output.text.includes("looping"); waited += 50) {
    assert.ok(waited < 30_000, `it never came to its loop: ${output.text}`);
    await sleep(50);
  }
  const ended = once(child, "exit");
  for (const signal of ["SIGINT", "SIGTERM", "SIGINT"] as const) {
    child.kill(signal);
    await sleep(200);
  }
  const [code, signal] = await Promise.race([ended, sleep(10_000, ["still", "running"], { ref: false })]);
  assert.deepEqual([code, signal], [null, "SIGKILL"], output.text);
  assert.match(output.text, /ended by the third signal; stage mine of plugin \.\/loops\.mjs did not let go/);
});
