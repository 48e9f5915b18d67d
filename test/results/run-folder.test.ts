import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "csv-parse/sync";
import type { ResultsConfig } from "../../pipeline/results/origin.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { config, model, resultOf } from "./results.ts";

const open = (dir: string, changes: Partial<ResultsConfig> = {}, fresh = false) =>
  openRunFolder(dir, { config: { ...config, ...changes }, fresh });

const wells = [
  { well: "B02", wellType: "negative_control" as const, treatment: "1138", called: "1138" },
  {
    well: "B03",
    treatment: "1",
    called: "1",
    byStrategy: { argmax: "3", "once-per-experiment": "1", "plate-groups": "1" },
  },
  { well: "B04", treatment: "2", called: "3" },
  { well: "B05", treatment: "3" },
];

const finished = async (t: TestContext) => {
  const dir = await temporaryFolder(t);
  const folder = await open(dir);
  await folder.write(resultOf("HUVEC-02", wells));
  await folder.write(resultOf("HUVEC-10", [{ well: "C02", called: "7" }]));
  const report = await folder.finish({ seconds: 5 });
  const read = (name: string) => readFile(join(dir, name), "utf8");
  return { dir, report, read };
};

test("calls.csv has a row per well, and says why a well has no call", async (t) => {
  const { read } = await finished(t);
  const rows = parse(await read("calls.csv"), { columns: true }) as Record<string, string>[];
  assert.deepEqual(
    rows.map((row) => [row.experiment, row.well, row.call]),
    [
      ["HUVEC-02", "B02", "1138"],
      ["HUVEC-02", "B03", "1"],
      ["HUVEC-02", "B04", "3"],
      ["HUVEC-02", "B05", ""],
      ["HUVEC-10", "C02", "7"],
    ],
  );
  assert.deepEqual(rows[1], {
    experiment: "HUVEC-02",
    plate: "1",
    well: "B03",
    well_type: "treatment",
    sirna: "1",
    call: "1",
    confidence: "",
    probability: "0.75",
    margin: "0.5",
    plate_group: "2",
    strategy: "plate-groups",
    argmax: "3",
    once_per_experiment: "1",
    balanced: "",
    plate_groups: "1",
    sites: "1 2",
    alternatives: "1:0.75 9:0.25",
    flags: "sites-missing fallback",
    reason: "",
  });
  assert.equal(rows[3]!.flags, "not-called");
  assert.equal(rows[3]!.reason, "site 1: B05_s1.png is missing (decode); site 2: B05_s2.png is missing (decode)");
  assert.equal(rows[4]!.sirna, "");
});

test("submission.csv has the called treatment wells, and run.json names those that it lacks", async (t) => {
  const { read, report } = await finished(t);
  assert.equal(await read("submission.csv"), "id_code,sirna\nHUVEC-02_1_B03,1\nHUVEC-02_1_B04,3\nHUVEC-10_1_C02,7\n");
  assert.match(report.notes.join(), /lacks the treatment wells that could not be called.* 1 lacking: HUVEC-02_1_B05$/);
});

test("run.json reports experiments, networks, what was left out, and accuracy", async (t) => {
  const { dir, read, report } = await finished(t);
  assert.deepEqual(JSON.parse(await read("run.json")), JSON.parse(JSON.stringify(report)));
  const [first] = report.experiments;
  assert.deepEqual([first!.wells, first!.called, first!.imagesPerSecond], [4, 3, 1.5]);
  assert.deepEqual(first!.models, [{ name: "demo", version: "v1", cellType: "HUVEC", trained: true }]);
  assert.deepEqual(first!.leftOut[0], {
    plate: "1",
    well: "B05",
    site: 1,
    stage: "decode",
    reason: "B05_s1.png is missing",
  });
  assert.deepEqual(first!.accuracy, {
    argmax: { n: 3, correct: 0, accuracy: 0 },
    "once-per-experiment": { n: 3, correct: 1, accuracy: 1 / 3 },
    "plate-groups": { n: 3, correct: 1, accuracy: 1 / 3 },
  });
  assert.deepEqual(report.total.accuracy, first!.accuracy, "HUVEC-10 has no labels");
  assert.equal(report.total.imagesPerSecond, 8 / 5);
  assert.equal(report.folder, dir);
});

test("a run that is opened again continues after the finished experiments", async (t) => {
  const { dir } = await finished(t);
  await mkdir(join(dir, "experiments", ".part-HUVEC-11"));
  const again = await open(dir, { experiments: ["HUVEC-11"], memoryMiB: 1, workers: ["gpu1:7411"] });
  assert.deepEqual([...again.done()].sort(), ["HUVEC-02", "HUVEC-10"]);
  await again.write(resultOf("HUVEC-10", [{ well: "C02", called: "8" }]));
  await again.write(resultOf("HUVEC-11", [{ well: "C02", called: "9" }]));
  const report = await again.finish({ seconds: 1 });
  assert.deepEqual(
    report.experiments.map(({ experiment }) => experiment),
    ["HUVEC-02", "HUVEC-10", "HUVEC-11"],
  );
  const rows = parse(await readFile(join(dir, "calls.csv"), "utf8"), { columns: true }) as Record<string, string>[];
  assert.deepEqual(
    rows.slice(-2).map(({ call }) => call),
    ["7", "9"],
    "what was there is not written again",
  );
  assert.equal(report.total.imagesPerSecond, 2, "only what this process ran");
});

test("a run that was killed leaves its finished experiments and no lock that holds", async (t) => {
  const dir = await temporaryFolder(t);
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const { signal } = spawnSync(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { openRunFolder } from ${module("../../pipeline/results/run-folder.js")};
     import { config, resultOf } from ${module("./results.js")};
     const folder = await openRunFolder(${JSON.stringify(dir)}, { config, fresh: false });
     await folder.write(resultOf("HUVEC-01", [{ well: "B02", called: "1" }]));
     void folder.write(resultOf("HUVEC-02", [{ well: "B02", called: "1" }]));
     process.kill(process.pid, "SIGKILL");`,
  ]);
  assert.equal(signal, "SIGKILL");
  const again = await open(dir);
  assert.deepEqual([...again.done()], ["HUVEC-01"]);
  assert.deepEqual(await readdir(join(dir, "experiments")), ["HUVEC-01"]);
  await again.close();
});

test("an experiment that is written twice at once is written once", async (t) => {
  const folder = await open(await temporaryFolder(t));
  const result = resultOf("HUVEC-02", wells);
  await Promise.all([folder.write(result), folder.write(result)]);
  assert.equal((await folder.finish({ seconds: 2 })).total.imagesPerSecond, 3);
});

test("networks of workers that come later are noted, and others for the same cell type refused", async (t) => {
  const dir = await temporaryFolder(t);
  const rpe = { ...model, cellType: "RPE" };
  const first = await open(dir, { models: [] });
  await Promise.all([first.accept([model]), first.accept([rpe])]);
  await first.accept([model, rpe]);
  const other = { ...rpe, version: "v2" };
  await assert.rejects(
    first.accept([other]),
    /holds results of another run \(models were demo RPE v1, are demo RPE v2\)/,
  );
  const { models } = await first.finish({ seconds: 1 });
  assert.deepEqual(
    models.map(({ cellType, version }) => `${cellType} ${version}`),
    ["HUVEC v1", "RPE v1"],
  );
  const again = await open(dir, { models: [rpe] });
  await assert.rejects(again.accept([{ ...model, version: "v2" }]), /models were demo HUVEC v1, are demo HUVEC v2/);
  await again.accept([{ ...model, cellType: "U2OS" }]);
  await again.close();
});

test("a folder of another run is refused, and says what differs and how to go on", async (t) => {
  const { dir } = await finished(t);
  await assert.rejects(
    open(dir, { models: [{ ...model, version: "v2" }] }),
    new RegExp(
      `^PlatestreamError: \\[invalid-config\\] a run continues only what has the same data, networks, stages and plugins, and ` +
        `${dir} holds results of another run \\(models were demo HUVEC v1, are demo HUVEC v2\\); give this run ` +
        `another --out, or drop what is there with --fresh$`,
    ),
  );
  await assert.rejects(open(dir, { stages: [{ use: "infer", options: { images: 8 } }] }), /stages were infer/);
  const same = await open(dir, { stages: [{ use: "infer", options: { statistics: "calibrated", images: 64 } }] });
  await same.close();
});

test("fresh forgets what a run left, and nothing else", async (t) => {
  const { dir } = await finished(t);
  await writeFile(join(dir, "mine.txt"), "");
  const again = await open(dir, { data: "elsewhere" }, true);
  assert.deepEqual([...again.done()], []);
  assert.deepEqual((await readdir(dir)).sort(), [".lock", "experiments", "failures", "mine.txt", "origin.json"]);
  await again.close();
});

test("an experiment that failed is reported until it succeeds", async (t) => {
  const dir = await temporaryFolder(t);
  const failure = { experiment: "a/b", cellType: "HUVEC", attempts: 3, code: "internal", reason: "no" };
  const first = await open(dir);
  await first.fail(failure);
  assert.deepEqual((await first.finish({ seconds: 1 })).failures, [failure]);
  const second = await open(dir);
  await second.write(resultOf("a/b", wells));
  assert.deepEqual((await second.finish({ seconds: 1 })).failures, []);
  const third = await open(dir);
  assert.deepEqual([...third.done()], ["a/b"]);
  await third.close();
});

test("one process at a time may write to a folder", async (t) => {
  const dir = await temporaryFolder(t);
  const folder = await open(dir);
  await assert.rejects(open(dir), new RegExp(`process ${process.pid} on .* writes to ${dir}; wait for it`));
  await folder.close();
  await (await open(dir)).close();
});

test("wells of networks with unequal features are refused", async (t) => {
  const folder = await open(await temporaryFolder(t));
  const result = resultOf("HUVEC-02", [
    { well: "B02", called: "1" },
    { well: "B03", called: "1", model: { ...model, featureCount: 5 } },
  ]);
  await assert.rejects(folder.write(result), /equally many features, got 3 and 5 in HUVEC-02/);
  await folder.close();
});
