/** A stage that throws outside its stream, in a process of its own: what escapes there must not reach the test runner. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { RunReport } from "../../pipeline/results/run-report.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { startFakeWorker } from "../workers/fake-worker.ts";

const pipeline = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, "../../cli/main.js"), ...args], {
    timeout: 30_000,
  });

/** A plugin whose observer, timer or promise throws at HUVEC-01. */
const plugin = (place: string) => `
import { defineStage, z } from "platestream/plugin";
import { Observable } from "rxjs";

const escape = () => { throw new Error("escaped"); };

export default defineStage({
  name: "mine", description: "throws", input: "site", output: "site", config: z.strictObject({}),
  apply: (_, { experiment }) => (items) =>
    experiment.id !== "HUVEC-01" ? items : new Observable((out) => {
      ${place}
    }),
});`;

const places = {
  observer: "items.subscribe({ next: escape, complete: () => out.complete() });",
  timer: "items.subscribe(out); setTimeout(escape, 1);",
  promise: "items.subscribe(out); Promise.resolve().then(escape);",
};

test("plugin that throws outside its stream - the process ends with an error that names it, and goes on when it is mended", async (t) => {
  const folder = await temporaryFolder(t);
  const data = join(folder, "data");
  const sizes = ["--classes", "4", "--size", "16", "--plates", "1", "--positive-controls", "1"];
  await pipeline("data", "synth", data, "--experiments", "HUVEC-01..02", ...sizes);
  const { address } = await startFakeWorker(t, { channels: 6 });
  const runs = Object.entries(places).map(async ([place, code]) => {
    const [file, out, config] = [`${place}.mjs`, `${place}-out`, `${place}.json`].map((name) => join(folder, name));
    await writeFile(file!, plugin(code));
    const rest = ["decode", "normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"];
    const run = { data, out, workers: [address], attempts: 1, stages: [`./${place}.mjs`, ...rest] };
    await writeFile(config!, JSON.stringify(run));
    const error = await pipeline("start", "--config", config!).catch((thrown) => thrown);
    assert.equal(error.code, 1, `${place}: ${error.stderr}`);
    assert.match(
      error.stderr,
      /^pipeline: \[plugin-failed\] stage mine of plugin .*\.mjs \(.*\.mjs:5:\d+\), experiment HUVEC-01, item plate 1 well \w+ site \d: escaped$/m,
    );
    await writeFile(file!, plugin("items.subscribe(out);"));
    await pipeline("start", "--config", config!, "--fresh");
    const { experiments } = JSON.parse(await readFile(join(out!, "run.json"), "utf8")) as RunReport;
    assert.deepEqual(
      experiments.map(({ experiment }) => experiment),
      ["HUVEC-01", "HUVEC-02"],
    );
  });
  await Promise.all(runs);
});
