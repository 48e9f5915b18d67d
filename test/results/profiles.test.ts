import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { packageFile } from "../../common/package-file.ts";
import type { ExperimentResult } from "../../pipeline/results/result.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { findPython } from "../kit/python-environment.ts";
import { config, model, resultOf } from "./results.ts";

const writeProfiles = async (t: TestContext, results: readonly ExperimentResult[]): Promise<string> => {
  const dir = await temporaryFolder(t);
  const folder = await openRunFolder(dir, { config, fresh: false });
  for (const result of results) await folder.write(result);
  await folder.finish({ seconds: 1 });
  return join(dir, "profiles.parquet");
};

const profiles = async (t: TestContext, results: readonly ExperimentResult[]) => {
  const file = await asyncBufferFromFile(await writeProfiles(t, results));
  return { rows: await parquetReadObjects({ file }), metadata: await parquetMetadataAsync(file) };
};

test("profiles.parquet has a row per well, controls and uncalled ones too: what it is, and its features", async (t) => {
  const { rows } = await profiles(t, [
    resultOf("HUVEC-01", [
      { well: "B02", treatment: "5", called: "1", metadata: { Compound: "x", Plate: "not this" } },
      { well: "B03", treatment: "6" },
      { well: "B04", called: "2", wellType: "negative_control" },
    ]),
  ]);
  assert.deepEqual(rows, [
    {
      Metadata_Experiment: "HUVEC-01",
      Metadata_CellType: "HUVEC",
      Metadata_Plate: "1",
      Metadata_Well: "B02",
      Metadata_WellType: "treatment",
      Metadata_sirna: "5",
      Metadata_Call: "1",
      Metadata_Confidence: null,
      Metadata_Probability: 0.75,
      Metadata_Sites: 2,
      Metadata_Model: "demo",
      Metadata_ModelVersion: "v1",
      Metadata_Statistics: "sha-1",
      Metadata_Compound: "x",
      demo_0: 0,
      demo_1: 0.25,
      demo_2: 0.5,
    },
    {
      ...rows[0],
      Metadata_Well: "B03",
      Metadata_sirna: "6",
      Metadata_Call: null,
      Metadata_Confidence: null,
      Metadata_Probability: null,
      Metadata_Sites: 0,
      Metadata_Model: null,
      Metadata_ModelVersion: null,
      Metadata_Statistics: null,
      Metadata_Compound: null,
      demo_0: null,
      demo_1: null,
      demo_2: null,
    },
    {
      ...rows[0],
      Metadata_Well: "B04",
      Metadata_WellType: "negative_control",
      Metadata_sirna: null,
      Metadata_Call: "2",
      Metadata_Compound: null,
      demo_0: 2,
      demo_1: 2.25,
      demo_2: 2.5,
    },
  ]);
});

test("experiments are row groups, and columns that one of them lacks are null in it", async (t) => {
  const other = { ...model, name: "my bundle", featureCount: 1 };
  const { rows, metadata } = await profiles(t, [
    resultOf("HUVEC-01", [{ well: "B02", called: "1", metadata: { Dose: "3" } }]),
    resultOf("HUVEC-02", [{ well: "B02" }]),
    resultOf("HUVEC-03", [
      { well: "B02", called: "1", model: other },
      { well: "B03", called: "1", model: other },
    ]),
  ]);
  assert.deepEqual(
    metadata.row_groups.map(({ num_rows }) => num_rows),
    [1n, 1n, 2n],
  );
  const shown = rows.map(({ Metadata_Dose, demo_2, my_bundle_0 }) => [Metadata_Dose, demo_2, my_bundle_0]);
  assert.deepEqual(shown, [
    [3, 0.5, null],
    [null, null, null],
    [null, null, 0],
    [null, null, 1],
  ]);
});

test("a run without a called well has a table without features", async (t) => {
  const { rows, metadata } = await profiles(t, [resultOf("HUVEC-01", [{ well: "B02" }])]);
  assert.deepEqual(
    rows.map(({ Metadata_Well, Metadata_Call }) => [Metadata_Well, Metadata_Call]),
    [["B02", null]],
  );
  assert.equal(metadata.schema.at(-1)!.name, "Metadata_Statistics");
});

test("numbers in the dataset's columns are numbers, identifiers that look like them are not", async (t) => {
  const { rows } = await profiles(t, [
    resultOf("HUVEC-01", [
      { well: "B02", called: "1", metadata: { Dose: "0.5", Barcode: "007", Mixed: "1" } },
      { well: "B03", called: "1", metadata: { Dose: "nan", Barcode: "12", Mixed: "high" } },
      { well: "B04", called: "1", metadata: { Dose: "1e-3", Barcode: "", Mixed: "" } },
    ]),
    resultOf("HUVEC-02", [{ well: "B02", called: "1", metadata: { Dose: "3" } }]),
  ]);
  assert.deepEqual(
    rows.map(({ Metadata_Dose, Metadata_Barcode, Metadata_Mixed }) => [
      Metadata_Dose,
      Metadata_Barcode,
      Metadata_Mixed,
    ]),
    [
      [0.5, "007", "1"],
      [null, "12", "high"],
      [0.001, "", ""],
      [3, null, null],
    ],
  );
});

test("docs/profiles.md quotes its program as it is", async () => {
  const quoted = `\`\`\`python\n${await readFile(packageFile("docs/profiles.py"), "utf8")}\`\`\``;
  assert.ok((await readFile(packageFile("docs/profiles.md"), "utf8")).includes(quoted));
});

test("pandas, pyarrow and pycytominer run the program of docs/profiles.md", async (t) => {
  const wells = ["B02", "B03", "B04", "B05"].map((well, index) => ({
    well,
    called: String(index % 3),
    wellType: index % 2 === 0 ? ("negative_control" as const) : ("treatment" as const),
    metadata: { Dose: String(index) },
  }));
  const path = await writeProfiles(t, [resultOf("HUVEC-01", wells), resultOf("HUVEC-02", wells)]);
  const { stdout } = await promisify(execFile)(findPython("profiles"), [packageFile("docs/profiles.py"), path]);
  assert.equal(stdout, "8 wells, 3 features\n");
});
