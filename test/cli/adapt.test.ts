/** `pipeline start --adapt`, alone and as a node of a bus: processes, workers and networks as users have them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ExperimentReport } from "../../pipeline/results/report.ts";
import { startNatsServer } from "../bus/nats-server.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr }),
    );
  });
const must = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await pipeline(...args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
};

const experiments = ["HUVEC-01", "HUVEC-02"];
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "platestream-adapt-"));
  const sizes = ["--classes", "4", "--size", "16", "--plates", "2", "--positive-controls", "2", "--sites", "1"];
  await must("data", "synth", "data", "--experiments", experiments.join(","), ...sizes);
  await must("model", "new", "--arch", "densenet-small", "--size", "16", "--layout", "data", "--out", "model");
  const stage = "{ name: own, learnsFrom: calls, rounds: 2, rateAlone: 1.0e-3, images: 16 }";
  await writeFile(join(folder, "quick.yaml"), `stages: [${stage}]\n`);
});
after(() => rm(folder, { recursive: true, force: true }));

const reportsOf = async (out: string): Promise<ExperimentReport[]> =>
  JSON.parse(await readFile(join(folder, out, "run.json"), "utf8")).experiments;

const start = (out: string, ...more: string[]) =>
  pipeline("start", "--data", "data", "--model", "model", "--out", out, ...more);

test("start --adapt - every experiment is called by a network of its own, and the report says so", async () => {
  const { code, stderr } = await start("alone", "--adapt", "./quick.yaml");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /HUVEC-01: own 1\/2 {3}learnt from 3 of 8 wells/);
  const reports = await reportsOf("alone");
  assert.deepEqual(
    reports.map(({ experiment, called }) => [experiment, called]),
    experiments.map((id) => [id, 14]),
  );
  for (const { notes } of reports) assert.match(notes[0]!, /learnt from it without its labels: 2 rounds/);
  const versions = reports.map(({ models: [model] }) => model!.version);
  assert.equal(new Set(versions).size, 2);
  const own = join(folder, "alone/adapted/HUVEC-01");
  assert.ok(existsSync(join(own, "adapted/HUVEC/rounds.svg")));
  assert.ok(!existsSync(join(own, "adapted/HUVEC/last.safetensors")), "a checkpoint is left");

  const plain = await start("alone");
  assert.equal(plain.code, 2, plain.stderr);
  assert.match(plain.stderr, /adapted were \.\/quick\.yaml, are not/);
});

test("start --adapt - needs the bundle itself, not workers that hold it", async () => {
  const { code, stderr } = await pipeline("start", "--data", "data", "--worker", "127.0.0.1:1", "--adapt");
  assert.equal(code, 2, stderr);
  assert.match(stderr, /give it the bundle to start from with --model DIR/);
});

test("start --adapt --bus - a node adapts what it takes: the same networks as without a bus", async (t) => {
  const server = await startNatsServer();
  t.after(() => server.close());
  const url = server.namespace();
  await must("submit", "--bus", url, "--data", "data");
  const node = ["--bus", url, "--data-root", ".", "--model", "model", "--out", "node", "--until-empty"];
  await must("start", ...node, "--adapt", "./quick.yaml");
  const versions = (reports: ExperimentReport[]) => reports.map(({ models: [model] }) => model!.version);
  const networkOf = async (out: string, id: string) =>
    JSON.parse(await readFile(join(folder, out, "adapted", id, "bundle.json"), "utf8")).cellTypes.HUVEC.sha256;
  assert.equal(new Set(versions(await reportsOf("node"))).size, 2);
  for (const id of experiments) assert.equal(await networkOf("node", id), await networkOf("alone", id));
});
