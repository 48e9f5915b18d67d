import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { namesOfWellTypes } from "../../datasets/fields.ts";
import { openDataset } from "../../datasets/open.ts";
import { sentenceOf } from "../../datasets/problems.ts";
import { verifyDataset } from "../../datasets/verify.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const write = async (t: TestContext, lines: readonly string[], name = "load_data.csv"): Promise<string> => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, name), lines.join("\n"));
  return folder;
};

test("Cell Painting's table: file names and folders apart, kinds of wells, further columns kept", async (t) => {
  const folder = await write(t, [
    "FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER,FileName_IllumDNA,Metadata_Batch,Metadata_Cell_Line,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_pert_type,Metadata_control_type,Metadata_Perturbation,Metadata_Dose",
    "a1.tiff,raw,a2.tiff,/abs,i.npy,2020_11_04,A549,BR00117035,a1,9,control,negcon,DMSO,0",
    "b1.tiff,raw,b2.tiff,/abs,i.npy,2020_11_04,A549,BR00117035,B02,1,trt,,AKT1,5",
    "c1.tiff,raw,c2.tiff,/abs,i.npy,2020_11_04,A549,BR00117035,C02,1,poscon_cp,,TC-S-7004,5",
  ]);
  const dataset = await openDataset(folder);
  assert.equal(dataset.layout, "table");
  assert.equal(dataset.root, join(folder, "load_data.csv"));
  assert.deepEqual(dataset.channels, ["DNA", "ER"]);
  assert.deepEqual(dataset.experiments, [{ id: "2020_11_04", cellType: "A549", sites: 3 }]);
  const { sites } = await dataset.load("2020_11_04");
  assert.deepEqual(
    sites.map(({ well, site, wellType, treatment }) => [well, site, wellType, treatment]),
    [
      ["A01", 9, "negative_control", "DMSO"],
      ["B02", 1, "treatment", "AKT1"],
      ["C02", 1, "positive_control", "TC-S-7004"],
    ],
  );
  assert.deepEqual(sites[1]!.images, [
    imageAt(join(folder, "raw/b1.tiff"), undefined, { illumination: join(folder, "i.npy") }),
    imageAt("/abs/b2.tiff"),
  ]);
  assert.equal(sites[1]!.metadata.Dose, "5");
});

test("a table with the least columns is one experiment, named after the file; 16-bit TIFF is fine", async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "my image.tiff");
  await writeGreyImage(path, new Uint16Array(64).fill(4000), 8, 8);
  const table = join(folder, "screen.csv");
  const rows = ["URL_DNA,Metadata_Plate,Metadata_Well,Metadata_Site", `${pathToFileURL(path)},P1,B2,1`];
  await writeFile(table, rows.join("\n"));
  for (const given of [table, folder]) {
    const dataset = await openDataset(given);
    assert.deepEqual(dataset.experiments, [{ id: "screen", cellType: "unknown", sites: 1 }]);
    const { problems, image } = await verifyDataset(dataset);
    assert.deepEqual(problems, []);
    assert.deepEqual(image, { width: 8, height: 8, bits: 16 });
  }
});

test("a table that names no images says which columns do", async (t) => {
  const folder = await write(t, ["red,Metadata_Plate,Metadata_Well,Metadata_Site", "r.png,1,B02,1"]);
  await assert.rejects(
    openDataset(folder),
    /names no images: expected columns URL_<channel>, .*; got red,Metadata_Plate/,
  );
});

test("images that cannot be found, unknown kinds of wells and repeated sites are reported with line and column", async (t) => {
  const folder = await write(t, [
    "URL_DNA,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Well_Type",
    "gs://bucket/a.tiff,1,B02,1,trt",
    "b.tiff,1,B02,1,trt",
    "b2.tiff,1,B02,1,trt",
    "c.tiff,1,B03,1,outlier",
    ",1,B04,1,trt",
    "file:///a%zz.tiff,1,B05,1,trt",
    "file://server/a.tiff,1,B06,1,trt",
    "C:\\img\\a.tiff,1,B07,1,trt",
  ]);
  const table = join(folder, "load_data.csv");
  await assert.rejects(openDataset(folder), {
    message: `[invalid-data] ${table} cannot be read:
  - ${table}:2, column URL_DNA: expected a path, or a URL that begins with file:, http:, https:, s3:, got "gs://bucket/a.tiff"
  - ${table}:5, column Metadata_Well_Type: expected one of ${namesOfWellTypes}, got "outlier"
  - ${table}:6, column URL_DNA: plate 1 of load_data has wells without an image of channel DNA; leave the rows out with --where
  - ${table}:7, column URL_DNA: expected the file: URL of a file on this machine, got "file:///a%zz.tiff"
  - ${table}:8, column URL_DNA: expected the file: URL of a file on this machine, got "file://server/a.tiff"
  - ${table}:9, column URL_DNA: expected a path of this machine, this is one of another (Windows), got "C:\\img\\a.tiff"
  - ${table}:4, column Metadata_Site: expected each site once, but load_data/1/B02/1 stands in ${table}:3 already`,
  });
  const listed: string[] = [];
  const dataset = await openDataset(folder, { onProblems: (problems) => listed.push(...problems.map(sentenceOf)) });
  assert.equal(listed.length, 7);
  assert.deepEqual(dataset.experiments, [{ id: "load_data", cellType: "unknown", sites: 1 }]);
});

test("names that a spreadsheet made of others, that look alike or of controls without a kind are noted", async (t) => {
  const notesOf = async (...rows: string[]) => {
    const root = await temporaryFolder(t);
    const lines = rows.map((row, i) => `${row},1,${i}.tif,img`);
    const header = "Metadata_Plate,Metadata_Well,Metadata_sirna,Metadata_Site,FileName_DNA,PathName_DNA";
    await writeFile(join(root, "load_data.csv"), [header, ...lines].join("\n"));
    const dataset = await openDataset(root);
    const { sites } = await dataset.load(dataset.experiments[0]!.id);
    return { notes: dataset.notes.join("\n"), sites };
  };
  assert.match((await notesOf("P1,A01,2-Sep", "P1,A02,x")).notes, /Metadata_sirna has "2-Sep", as spreadsheets write/);
  assert.match((await notesOf("1.23457E+11,A01,x", "P1,A02,y")).notes, /Metadata_Plate has "1\.23457E\+11"/);
  assert.match((await notesOf("P1,A01,5 µM", "P1,A02,5 μM")).notes, /has "5 µM" and "5 μM", which are told apart/);
  assert.match((await notesOf("P1,A01,Taxol", "P1,A02,taxol")).notes, /are they one class\?/);
  assert.match(
    (await notesOf("P1,A01,DMSO", "P1,A02,x")).notes,
    /so "DMSO" of Metadata_sirna is a treatment like others/,
  );
  const plain = await notesOf("1.0,A01,7", "1,A02,7.0");
  assert.equal(plain.notes, "");
  assert.deepEqual(
    plain.sites.map(({ plate, treatment }) => `${plate} ${treatment}`),
    ["1 7", "1 7"],
  );
});
