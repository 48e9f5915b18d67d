/** Stock clients of the Open Inference Protocol against a worker. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { packageFile } from "../../common/package-file.ts";
import { sigmoid } from "../../common/quantities.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { assertClose } from "../gpu-worker/parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { findPython } from "../kit/python-environment.ts";

interface Report {
  readonly metadata: Record<string, [string, number[]]>;
  readonly shapes: number[][];
  readonly float: number;
  readonly classes: string[][];
  readonly statistics_id: string;
  readonly unknown_statistics: string[];
  readonly outside: string[];
  readonly count: number;
  readonly logits: number[][];
  readonly batch: number[][];
  readonly calibrated: number[][];
  readonly refused: Record<string, [string, string]>;
}

const flat = (rows: number[][]): Float32Array => Float32Array.from(rows.flat());

test("every call of tritonclient, unmodified, gets its answer", { timeout: 300_000 }, async (t) => {
  const python = findPython("tritonclient");
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { address, close } = await startServer(engine, { listen: "127.0.0.1:0" });
  t.after(() => close(1_000));
  const report = await new Promise<Report>((resolve, reject) => {
    const program = packageFile("test/clients/open_inference.py");
    const args = [program, address, `platestream_test_${process.pid}`];
    const child = execFile(python, args, { timeout: 120_000 }, (error, stdout, stderr) =>
      error === null ? resolve(JSON.parse(stdout)) : reject(new Error(stderr, { cause: error })),
    );
    child.stdin!.end(pixelsOf(tiny, 0, 8));
  });
  const classes = tiny.architecture.classes;
  const has = (expected: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual((report as unknown as Record<string, unknown>)[name], value, name);
  };
  has({
    live: [true, true],
    models: ["tiny.HUVEC", "tiny.HUVEC.calibrate"],
    ready: [true, "NOT_FOUND"],
    max_batch_size: 128,
    id: "7",
    by_bytes: true,
    streamed: ["0", "1", "2"],
    stream_error: ["the images do not fit tiny HUVEC: images have 6 channels, not 2"],
    async: true,
    regions: ["in", "out"],
    shared: true,
  });
  assert.deepEqual(report.metadata.pixels, ["UINT8", [-1, 6, 32, 32]]);
  assert.deepEqual(report.shapes[0], [8, classes]);
  assertClose(flat(report.logits), tiny.expected("running.logits"), "logits");
  assert.ok(report.float < 1e-4, "float pixels with a scale are the same pixels");

  const own = await engine.predict({}, { ...images(0, 8) }, { kind: "batch" });
  assertClose(flat(report.batch), own.logits, "batch statistics");
  const calibration = engine.calibrate({}, 0);
  for (const from of [0, 4]) await calibration.add(images(from, from + 4));
  const { id } = await calibration.finish();
  assert.equal(report.statistics_id, id, "calibration in batches of 4");
  const calibrated = await engine.predict({}, images(0, 8), { kind: "calibrated", id });
  assertClose(flat(report.calibrated), calibrated.logits, "calibrated statistics");

  const [best] = report.classes;
  const row = report.logits[0]!;
  assert.equal(best![1], String(row.indexOf(Math.max(...row))));
  assert.equal(best![2], `sirna-${best![1]}`);
  assert.equal(report.unknown_statistics[0], "FAILED_PRECONDITION");
  assert.match(report.outside[1]!, /the key of shared memory is a name/);
  assert.ok(report.count >= 10);
  for (const [call, [status, message]] of Object.entries(report.refused)) {
    const served = ["cuda_status", "cuda_unregister"].includes(call);
    assert.equal(status, served ? "OK" : "UNIMPLEMENTED", call);
    if (!served) assert.match(message, /is not served here: .{20}/, call);
  }
});

/** A server on the tiny bundle, and what a Python program with tritonclient prints that is given its address. */
const setup = async (t: TestContext) => {
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { address, close } = await startServer(engine, { listen: "127.0.0.1:0" });
  t.after(() => close(1_000));
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const command = [packageFile(program), address, ...args];
    const { stdout } = await promisify(execFile)(findPython("tritonclient"), command, { timeout: 120_000 });
    return stdout;
  };
  return { engine, run };
};

test("the program of docs/clients.md prints the classes of a plate's images", { timeout: 300_000 }, async (t) => {
  const { engine, run } = await setup(t);
  const file = join(await temporaryFolder(t), "plate1.npy");
  await writeFile(file, numpyFile(pixelsOf(tiny, 0, 16), [16, 6, 32, 32]));
  const printed = (await run("docs/clients/triton.py", "tiny.HUVEC", file)).trimEnd().split("\n");
  const calibration = engine.calibrate({}, 0);
  for (const from of [0, 8]) await calibration.add(images(from, from + 8));
  const statistics = { kind: "calibrated", ...(await calibration.finish()) } as const;
  const { logits } = await engine.predict({}, images(0, 16), statistics);
  const { classes } = tiny.architecture;
  const expected = Array.from({ length: 16 }, (_, image) => {
    const row = [...logits.subarray(image * classes, (image + 1) * classes)].map(sigmoid);
    return `${row.indexOf(Math.max(...row))} ${Math.max(...row).toFixed(3)}`;
  });
  assert.deepEqual(printed, expected);
});

test("perf_analyzer's calls, in its order, are answered and counted", { timeout: 300_000 }, async (t) => {
  const { run } = await setup(t);
  const told = JSON.parse(
    await run("test/clients/perf_analyzer_calls.py", "tiny.HUVEC", `platestream_perf_${process.pid}`),
  );
  assert.deepEqual(told, {
    statistics: true,
    all_known: true,
    batched: true,
    outputs: ["logits", "probabilities", "features"],
    counted: 1,
  });
});

/** Bytes in numpy's file format, version 1.0. */
const numpyFile = (data: Uint8Array, shape: readonly number[]): Buffer => {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, "latin1"), data]);
};

const images = (from: number, to: number) => ({
  pixels: pixelsOf(tiny, from, to),
  shape: [to - from, 6, 32, 32] as const,
  scale: [],
  offset: [],
  plates: [],
});
