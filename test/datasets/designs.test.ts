import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { wellAt } from "../../datasets/fields.ts";
import { openDataset } from "../../datasets/open.ts";
import { temporaryFolder } from "../kit/experiment.ts";

for (const [wells, rows, columns, sites] of [
  [96, 8, 12, 16],
  [384, 16, 24, 9],
  [1536, 32, 48, 1],
] as const) {
  test(`a plate of ${wells} wells with ${sites} sites, replicates of every class, without controls`, async (t) => {
    const lines = ["Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_sirna,URL_DNA"];
    for (let row = 1; row <= rows; row++) {
      for (let column = 1; column <= columns; column++) {
        const well = wellAt(row, column)!;
        for (let site = sites; site >= 1; site--) lines.push(`P1,${well},${site},c${column % 4},${well}_${site}.tif`);
      }
    }
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "load_data.csv"), lines.join("\n"));
    const { sites: read } = await (await openDataset(folder)).load("load_data");
    assert.equal(read.length, wells * sites);
    assert.equal(new Set(read.map(({ well }) => well)).size, wells);
    assert.deepEqual([read[0]!.well, read.at(-1)!.well], ["A01", wellAt(rows, columns)]);
    assert.deepEqual(
      read.slice(0, sites).map(({ site }) => site),
      Array.from({ length: sites }, (_, index) => index + 1),
    );
  });
}

test("Kaggle's tables as they were released again: sirna_250 and UNTREATED, controls alone", async (t) => {
  const root = await temporaryFolder(t);
  const rows = ["HEPG2-01,1,B02,negative_control,UNTREATED", "HEPG2-01,1,B03,positive_control,sirna_1108"];
  await writeFile(
    join(root, "train_controls.csv"),
    ["id_code,experiment,plate,well,well_type,sirna", ...rows.map((row) => `x,${row}`)].join("\n"),
  );
  const controls = await (await openDataset(root)).load("HEPG2-01");
  assert.deepEqual([...new Set(controls.sites.map(({ treatment }) => treatment))], ["UNTREATED", "sirna_1108"]);
  await writeFile(join(root, "train.csv"), "id_code,experiment,plate,well,sirna\nx,HEPG2-01,1,C02,sirna_250\n");
  const { sites } = await (await openDataset(root)).load("HEPG2-01");
  assert.equal(sites.find(({ well }) => well === "C02")!.treatment, "sirna_250");
});

test("RxRx2 and RxRx19: no kinds of wells, treatments by name, wells beyond row Z", async (t) => {
  const root = await temporaryFolder(t);
  await mkdir(join(root, "images"));
  const header = "site_id,well_id,cell_type,experiment,plate,well,site,treatment,treatment_conc";
  const row = (well: string, treatment: string) => `x,x,HUVEC,HUVEC-1,1,${well},4,${treatment},0.01`;
  await writeFile(join(root, "metadata.csv"), [header, row("AF48", "TNF-alpha"), row("A01", "")].join("\n"));
  const dataset = await openDataset(root);
  assert.match(dataset.notes[0]!, /has no column well_type: wells without a class are taken for negative controls/);
  assert.deepEqual(
    (await dataset.load("HUVEC-1")).sites.map(({ well, wellType, treatment }) => [well, wellType, treatment]),
    [
      ["A01", "negative_control", undefined],
      ["AF48", "treatment", "TNF-alpha"],
    ],
  );
});
