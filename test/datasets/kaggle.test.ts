import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { imageAt } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const write = async (t: TestContext, files: Record<string, string>): Promise<string> => {
  const root = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  return root;
};

const competition = {
  "train.csv":
    "id_code,experiment,plate,well,sirna\nHEPG2-01_1_B03,HEPG2-01,1,B03,513\nHEPG2-01_1_B04,HEPG2-01,1,B04,840.0\n",
  "train_controls.csv":
    "id_code,experiment,plate,well,sirna,well_type\nHEPG2-01_1_B02,HEPG2-01,1,B02,1138,negative_control\n",
  "test.csv": "id_code,experiment,plate,well\nHEPG2-08_1_B03,HEPG2-08,1,B03\n",
  "test_controls.csv":
    "id_code,experiment,plate,well,sirna,well_type\nHEPG2-08_1_B02,HEPG2-08,1,B02,1108,positive_control\n",
  "pixel_stats.csv": "id_code,site,channel,mean\n",
  "sample_submission.csv": "id_code,sirna\n",
};

test("every well of the competition has two sites; test wells have no class, test controls do", async (t) => {
  const root = await write(t, competition);
  const dataset = await openDataset(root);
  assert.equal(dataset.layout, "kaggle");
  assert.deepEqual(dataset.experiments, [
    { id: "HEPG2-01", cellType: "HEPG2", sites: 6 },
    { id: "HEPG2-08", cellType: "HEPG2", sites: 4 },
  ]);
  const { sites: training } = await dataset.load("HEPG2-01");
  assert.deepEqual(
    training.map(({ well, site, wellType, treatment }) => [well, site, wellType, treatment]),
    [
      ["B02", 1, "negative_control", "1138"],
      ["B02", 2, "negative_control", "1138"],
      ["B03", 1, "treatment", "513"],
      ["B03", 2, "treatment", "513"],
      ["B04", 1, "treatment", "840"],
      ["B04", 2, "treatment", "840"],
    ],
  );
  const { sites: held } = await dataset.load("HEPG2-08");
  assert.deepEqual(
    held.map(({ well, treatment }) => [well, treatment]),
    [
      ["B02", "1108"],
      ["B02", "1108"],
      ["B03", undefined],
      ["B03", undefined],
    ],
  );
  assert.deepEqual(held[2]!.images[0], imageAt(join(root, "test/HEPG2-08/Plate1/B03_s1_w1.png")));
  assert.deepEqual(training[3]!.images[5], imageAt(join(root, "train/HEPG2-01/Plate1/B03_s2_w6.png")));
});

test("problems of all four tables are listed together", async (t) => {
  const root = await write(t, {
    ...competition,
    "test.csv": "experiment,plate,well\nHEPG2-08,1,B02\nHEPG2-08,1,\n",
    "train.csv": "experiment,plate,well,sirna\nHEPG2-01,1,B03,-4\n",
    "train_controls.csv": "experiment,plate,sirna,well_type\nHEPG2-01,1,1138,negative_control\n",
  });
  await assert.rejects(openDataset(root), {
    message: `[invalid-data] ${root} cannot be read:
  - ${root}/train.csv:2, column sirna: expected the number of a class, got "-4"
  - ${root}/train_controls.csv:1: expected columns for experiment, plate, well, well-type; none found for well in the header "experiment,plate,sirna,well_type"; name them with --column well=NAME
  - ${root}/test.csv:3, column well: expected a well from A01 to AF48, got ""
  - ${root}/test_controls.csv:2, column sirna: the sites of a well have one class: none in ${root}/test.csv:2, 1108 here
  - ${root}/test_controls.csv:2, column well_type: the sites of a well are of one type: treatment in ${root}/test.csv:2, positive_control here
  - ${root}/test_controls.csv:2, column well: expected each site once, but HEPG2-08/1/B02/1 stands in ${root}/test.csv:2 already`,
  });
});

test("the competition's test half is a dataset by itself", async (t) => {
  const root = await write(t, { "test.csv": competition["test.csv"] });
  assert.deepEqual((await openDataset(root)).experiments, [{ id: "HEPG2-08", cellType: "HEPG2", sites: 2 }]);
});
