/** A run whose workers are NVIDIA Triton, as it is, and nothing of ours. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "csv-parse/sync";
import { packageFile } from "../../common/package-file.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { startTriton } from "./triton-server.ts";

const main = join(import.meta.dirname, "../../cli/main.js");

const pipeline = async (folder: string, ...args: string[]): Promise<{ code: unknown; said: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, timeout: 200_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, said: stdout + stderr }),
    );
  });

const succeeds = async (folder: string, ...args: string[]): Promise<string> => {
  const { code, said } = await pipeline(folder, ...args);
  assert.equal(code, 0, said);
  return said;
};

const exportDemo = async (t: TestContext): Promise<string> => {
  const folder = await temporaryFolder(t);
  await succeeds(
    folder,
    "model",
    "export",
    packageFile("models/demo"),
    "--cell-type",
    "HUVEC",
    "--repository",
    "models",
  );
  return folder;
};

type Call = Readonly<Record<string, string>>;

const readCalls = async (folder: string, out: string): Promise<Call[]> =>
  parse(await readFile(join(folder, out, "calls.csv"), "utf8"), { columns: true });

/** Sums of float32 values in another order differ in their last digits. */
const numbers = ["confidence", "probability", "margin"];

/** All but the numbers, and the alternatives' order where they are as likely as each other to two digits. */
const words = (call: Call): Call => {
  const rest = Object.entries(call).filter(([column]) => !numbers.includes(column) && column !== "alternatives");
  return Object.fromEntries(rest);
};

test("the demo's experiment on Triton: the calls of our own worker", { timeout: 600_000 }, async (t) => {
  const folder = await exportDemo(t);
  const { address } = await startTriton(t, join(folder, "models"));
  await succeeds(folder, "data", "synth", "data", "--experiments", "HUVEC-21");
  const start = ["start", "--data", "data"];
  await succeeds(folder, ...start, "--model", packageFile("models/demo"), "--out", "own");
  await succeeds(folder, ...start, "--worker", `triton://${address}/demo.HUVEC`, "--out", "triton");
  const [own, triton] = [await readCalls(folder, "own"), await readCalls(folder, "triton")];
  assert.ok(own.length > 100, `${own.length} wells`);
  assert.deepEqual(triton.map(words), own.map(words), "calls, by whatever strategy, plate groups, sites, flags");
  for (const [at, row] of own.entries()) {
    for (const column of numbers) {
      const [expected, got] = [Number(row[column]), Number(triton[at]![column])];
      assert.ok(Math.abs(got - expected) < 1e-4, `${column} of ${row.well}: ${got}, our own worker's ${expected}`);
    }
  }
});
