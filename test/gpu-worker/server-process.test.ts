import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { writeTinyBundle } from "./tiny-bundle.ts";

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const startWorker = (t: TestContext, ...options: string[]): ChildProcessWithoutNullStreams => {
  const child = spawn(process.execPath, [main, "worker", "--provider", "cpu", "--listen", "127.0.0.1:0", ...options]);
  t.after(() => child.kill("SIGKILL"));
  return child;
};

const firstLine = async (child: ChildProcessWithoutNullStreams): Promise<string> => {
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return line;
};

test("a worker says where it listens, leaves Ctrl-C to its parent, and ends with it", async (t) => {
  const child = startWorker(t, "--model", await writeTinyBundle(t), "--json", "--exit-with-parent");
  const ready = JSON.parse(await firstLine(child));
  assert.equal(ready.type, "ready");
  assert.equal(ready.provider, "cpu");
  assert.match(ready.address, /^127\.0\.0\.1:[1-9]\d*$/);
  child.kill("SIGINT");
  const worker = platestreamWorker(ready.address);
  t.after(() => worker.close());
  const { models } = await worker.info({ signal: new AbortController().signal, deadlineMs: 10_000 });
  assert.deepEqual(
    models.map(({ name, cellType }) => `${name} ${cellType}`),
    ["tiny HUVEC"],
  );
  child.stdin.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("SIGTERM ends a worker whose parent lives on", async (t) => {
  const child = startWorker(t, "--model", await writeTinyBundle(t), "--exit-with-parent");
  await firstLine(child);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("a worker serves several bundles, and SIGTERM ends it", async (t) => {
  const folders = [await writeTinyBundle(t, { name: "first" }), await writeTinyBundle(t, { name: "second" })];
  const child = startWorker(t, ...folders.flatMap((folder) => ["--model", folder]));
  assert.match(
    await firstLine(child),
    /^ready on 127\.0\.0\.1:\d+, computing with onnxruntime on cpu, \d+ threads?: first HUVEC, second HUVEC$/,
  );
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("a worker that cannot start says why and exits with 2", async (t) => {
  const child = startWorker(t, "--model", await temporaryFolder(t), "--exit-with-parent");
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  assert.deepEqual(await once(child, "close"), [2, null]);
  assert.match(said, /^pipeline: \[invalid-model\] .* is not a bundle/m);
});
