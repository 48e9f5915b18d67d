/** `pipeline start` from the files of a plain table to calls: processes, a worker and a network as users have them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RunReport } from "../../pipeline/results/run-report.ts";
import { writeGreyImage } from "../../screen/images.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const pipeline = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr }),
    );
  });

const size = 16;
const experiments = ["HUVEC-01", "HUVEC-02", "HUVEC-03"];
const wells = ["B02", "B03", "B04", "B05"];
const channels = ["DNA", "ER", "RNA"];
let folder: string;

/** Three channels of 16-bit TIFF; the last well is a control. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "platestream-"));
  const sites = experiments.flatMap((experiment) => wells.flatMap((well) => [1, 2].map((s) => [experiment, well, s])));
  const rows = sites.map(async ([experiment, well, site], index) => {
    const files = channels.map((channel) => `${experiment}_${well}_${site}_${channel}.tiff`);
    for (const [c, file] of files.entries()) {
      const pixels = Uint16Array.from({ length: size * size }, (_, i) => (i * 7919 + index * 104729 + c * 31) % 4096);
      await writeGreyImage(join(folder, file), pixels, size, size);
    }
    const kind = well === "B05" ? "negcon" : "trt";
    return [experiment, "HUVEC", "BR-1", well, site, kind, wells.indexOf(String(well)), ...files].join(",");
  });
  const meta = ["Experiment", "CellType", "Plate", "Well", "Site", "pert_type", "sirna"].map(
    (name) => `Metadata_${name}`,
  );
  const header = [...meta, ...channels.map((channel) => `FileName_Orig${channel}`)].join(",");
  await writeFile(join(folder, "load_data.csv"), [header, ...(await Promise.all(rows))].join("\n"));
  const { code, stderr } = await pipeline(
    ...["model", "new", "--arch", "densenet-small", "--size", `${size}`, "--layout", "load_data.csv", "--out", "model"],
  );
  assert.equal(code, 0, stderr);
});
after(() => rm(folder, { recursive: true, force: true }));

const report = async (out: string): Promise<RunReport> =>
  JSON.parse(await readFile(join(folder, out, "run.json"), "utf8"));

test("a table of 16-bit TIFFs in three channels: every well is called but the one whose images are all gone", async () => {
  const gone = ["HUVEC-01_B03_1_ER.tiff", "HUVEC-01_B04_1_DNA.tiff", "HUVEC-01_B04_2_RNA.tiff"];
  for (const file of gone) await rm(join(folder, file));
  const { code, stderr } = await pipeline("start", "--data", "load_data.csv", "--model", "model", "--out", "gone");
  assert.equal(code, 0, stderr);
  const calls = (await readFile(join(folder, "gone/calls.csv"), "utf8")).trimEnd().split("\n");
  assert.equal(calls.length, 1 + experiments.length * wells.length);
  const flags = (well: string) => calls.find((line) => line.startsWith(`HUVEC-01,BR-1,${well},`))!;
  assert.match(flags("B02"), /,1 2,[^,]*,untrained[^,]*,$/);
  assert.match(
    flags("B03"),
    /,2,[^,]*,sites-missing untrained[^,]*,site 1: .*B03_1_ER\.tiff: the file is missing \(decode\)$/,
  );
  assert.match(flags("B04"), /,not-called,.*B04_1_DNA\.tiff.*B04_2_RNA\.tiff/);
  const [header, ...rows] = (await readFile(join(folder, "gone/submission.csv"), "utf8")).trimEnd().split("\n");
  assert.equal(header, "id_code,sirna");
  const treated = experiments.flatMap((experiment) =>
    ["B02", "B03", "B04"].map((well) => `${experiment}_BR-1_${well}`),
  );
  assert.deepEqual(
    rows.map((row) => row.replace(/,[012]$/, "")),
    treated.filter((id) => id !== "HUVEC-01_BR-1_B04"),
  );
  assert.match((await report("gone")).notes[0]!, /1 lacking: HUVEC-01_BR-1_B04/);
});

test("a run that is killed goes on after the experiments that are done when it is started again", async () => {
  await writeFile(
    join(folder, "kills.mjs"),
    `import { existsSync, writeFileSync } from "node:fs";
import { defineStage, z } from "platestream/plugin";
export default defineStage({
  name: "kills", description: "kills its process once", input: "site", output: "site", config: z.strictObject({}),
  apply: (_, { experiment }) => (items) => {
    if (experiment.id === "HUVEC-02" && !existsSync("killed")) {
      writeFileSync("killed", "");
      process.kill(process.pid, "SIGKILL");
    }
    return items;
  },
});`,
  );
  const chain = [
    "./kills.mjs",
    "decode",
    "normalize",
    "batch-by-experiment",
    "infer",
    "aggregate-sites",
    "plate-assign",
  ];
  const config = { data: "load_data.csv", model: "model", out: "killed-run", concurrentExperiments: 1, stages: chain };
  await writeFile(join(folder, "run.json"), JSON.stringify(config));
  const first = await pipeline("start", "--config", "run.json", "--json");
  assert.equal(first.code, "SIGKILL", first.stderr);
  assert.ok(!existsSync(join(folder, "killed-run/calls.csv")));
  const second = await pipeline("start", "--config", "run.json", "--json");
  assert.equal(second.code, 0, second.stderr);
  const started = second.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "experiment-running");
  assert.deepEqual(
    started.map(({ experiment }) => experiment),
    ["HUVEC-02", "HUVEC-03"],
  );
  const { experiments: reported } = await report("killed-run");
  assert.deepEqual(
    reported.map(({ experiment }) => experiment),
    experiments,
  );
});

test("wrong metadata, or a cell type without a network, is reported before anything is written", async () => {
  const table = await readFile(join(folder, "load_data.csv"), "utf8");
  await writeFile(join(folder, "wells.csv"), table.replace(",B02,1,", ",Z99,1,"));
  await writeFile(join(folder, "cells.csv"), table.replaceAll(",HUVEC,", ",A549,"));
  const start = (data: string) => pipeline("start", "--data", data, "--model", "model", "--out", "never");
  const metadata = await start("wells.csv");
  assert.equal(metadata.code, 2);
  assert.match(metadata.stderr, /wells\.csv:2, column Metadata_Well: expected a well from A01 to AF48, got "Z99"/);
  const cells = await start("cells.csv");
  assert.equal(cells.code, 2);
  assert.match(
    cells.stderr,
    /no network for some cell types; the workers have HUVEC \(model\):\n {2}- A549, of HUVEC-01, HUVEC-02, HUVEC-03/,
  );
  assert.ok(!existsSync(join(folder, "never")));
});
