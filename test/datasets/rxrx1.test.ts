import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { namesOfWellTypes } from "../../datasets/fields.ts";
import { openDataset } from "../../datasets/open.ts";
import { imageAt } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const header = "site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id";

const writeMetadata = async (folder: string, text: string): Promise<string> => {
  await mkdir(join(folder, "images"), { recursive: true });
  await writeFile(join(folder, "metadata.csv"), text);
  return folder;
};

test("a row of the public release is a site with six images, its class and the siRNA's name", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    `${header}
HEPG2-01_1_B03_2,HEPG2-01_1_B03,HEPG2,train,HEPG2-01,1,B03,2,treatment,n337250,513
HEPG2-01_1_B03_1,HEPG2-01_1_B03,HEPG2,train,HEPG2-01,1,B03,1,treatment,n337250,513
HEPG2-01_1_B02_1,HEPG2-01_1_B02,HEPG2,train,HEPG2-01,1,B02,1,negative_control,EMPTY,1138
`,
  );
  const dataset = await openDataset(root);
  assert.equal(dataset.layout, "rxrx1");
  assert.deepEqual(dataset.experiments, [{ id: "HEPG2-01", cellType: "HEPG2", sites: 3 }]);
  assert.deepEqual(dataset.channels, ["nuclei", "ER", "actin", "nucleoli", "mitochondria", "Golgi"]);
  const { plates, sites } = await dataset.load("HEPG2-01");
  assert.deepEqual(plates, ["1"]);
  assert.deepEqual(
    sites.map(({ well, site }) => `${well} ${site}`),
    ["B02 1", "B03 1", "B03 2"],
  );
  assert.equal(sites[0]!.wellType, "negative_control");
  const { images, ...site } = sites[2]!;
  assert.deepEqual(site, {
    experiment: "HEPG2-01",
    cellType: "HEPG2",
    plate: "1",
    well: "B03",
    site: 2,
    wellType: "treatment",
    treatment: "513",
    metadata: { dataset: "train", sirna_name: "n337250" },
  });
  assert.equal(images.length, 6);
  assert.deepEqual(images[5], imageAt(join(root, "images/HEPG2-01/Plate1/B03_s2_w6.png")));
});

test("columns may stand in any order, and files may come from Windows or from pandas", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    "\ufeffwell_type,sirna_id,site,well,plate,experiment\r\ntreatment,513.0,1,b3,2,RPE-01\r\n\r\ntreatment,nan,2,AA10,10,RPE-01\r\ntreatment,,2,C04,2,RPE-01\r\n",
  );
  const { sites, cellType, plates } = await (await openDataset(root)).load("RPE-01");
  assert.equal(cellType, "RPE");
  assert.deepEqual(plates, ["2", "10"]);
  assert.deepEqual(
    sites.map(({ well, treatment }) => [well, treatment]),
    [
      ["B03", "513"],
      ["C04", undefined],
      ["AA10", undefined],
    ],
  );
});

test("a plate may lack wells and sites, and have more than one untreated well", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    `experiment,plate,well,site,well_type,sirna_id
U2OS-01,1,B02,1,negative_control,1138
U2OS-01,1,B05,1,negative_control,1138
U2OS-01,1,B05,2,negative_control,1138
`,
  );
  const dataset = await openDataset(root);
  assert.equal((await dataset.load("U2OS-01")).sites.length, 3);
});

test("everything that is wrong with the rows is listed at once, with file, line and column", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    `experiment,plate,well,site,well_type,sirna_id
RPE-01,1,B02,1,treatment,5
RPE-01,1,Q99,1,treatment,5
RPE-01,one,B03,1,treatment,5
RPE-01,1,B02,1,treatment,5
RPE-01,1,B04,1,outlier,n337250
`,
  );
  const file = join(root, "metadata.csv");
  await assert.rejects(openDataset(root), {
    code: "invalid-data",
    message: `[invalid-data] ${root} cannot be read:
  - ${file}:3, column well: expected a well from A01 to AF48, got "Q99"
  - ${file}:4, column plate: expected a whole number from 0, got "one"
  - ${file}:6, column well_type: expected one of ${namesOfWellTypes}, got "outlier"
  - ${file}:6, column sirna_id: expected the number of a class, got "n337250"
  - ${file}:5, column site: expected each site once, but RPE-01/1/B02/1 stands in ${file}:2 already`,
  });
});

test("a column that is needed and not there is named", async (t) => {
  const root = await writeMetadata(await temporaryFolder(t), "experiment,plate,well,site\nRPE-01,1,B02,1\n");
  await assert.rejects(openDataset(root), {
    message: `[invalid-data] ${root} cannot be read:
  - ${join(root, "metadata.csv")}:1: expected columns for experiment, plate, well, site, well-type; none found for well-type in the header "experiment,plate,well,site"; name them with --column well-type=NAME`,
  });
});

test("an experiment on two cell types is a problem beside those of the rows", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    `cell_type,experiment,plate,well,site,well_type
RPE,A-01,1,B02,1,treatment
U2OS,A-01,1,B03,1,treatment
U2OS,A-02,1,B99,1,treatment
`,
  );
  await assert.rejects(openDataset(root), {
    message: `[invalid-data] ${root} cannot be read:
  - ${root}/metadata.csv:4, column well: expected a well from A01 to AF48, got "B99"
  - ${root}: an experiment has one cell type, and A-01 has RPE, U2OS; name an experiment for each`,
  });
});

test("a table without rows is not a dataset", async (t) => {
  const root = await writeMetadata(await temporaryFolder(t), `${header}\n`);
  await assert.rejects(openDataset(root), { code: "invalid-data", rawMessage: /lists no site$/ });
});

test("the folder above a download is found through, and sister sets have as many channels as their images", async (t) => {
  const parent = await temporaryFolder(t);
  const root = await writeMetadata(
    join(parent, "rxrx1"),
    "experiment,plate,well,site,well_type\nRPE-01,1,B02,1,treatment\n",
  );
  const plate = join(root, "images/RPE-01/Plate1");
  await mkdir(plate, { recursive: true });
  for (let channel = 1; channel <= 5; channel++) await writeFile(join(plate, `B02_s1_w${channel}.png`), "");
  const dataset = await openDataset(parent);
  assert.equal(dataset.root, root);
  assert.deepEqual(dataset.channels, ["w1", "w2", "w3", "w4", "w5"]);
});

test("a folder that is not a dataset is described", async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(
    openDataset(folder),
    /is not a dataset: it holds nothing, and was expected to be one of\n {2}- ome-zarr: .*\n {2}- wilds: metadata\.csv and images\/.*\n {2}- rxrx1: /,
  );
  await assert.rejects(openDataset(join(folder, "gone")), /there is no folder or table/);
  await writeFile(join(folder, "metadata.csv"), "experiment\n");
  await assert.rejects(openDataset(folder), /no images\/ beside it/);
});

test("an unknown experiment is refused with the names of those there are", async (t) => {
  const root = await writeMetadata(
    await temporaryFolder(t),
    "experiment,plate,well,site,well_type\nRPE-01,1,B02,1,treatment\n",
  );
  const dataset = await openDataset(root);
  await assert.rejects(dataset.load("RPE-02"), /has no experiment RPE-02; it has RPE-01/);
});
