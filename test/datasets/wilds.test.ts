import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { imageAt } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

test("WILDS has one colour image per site, and its bands are the channels", async (t) => {
  const parent = await temporaryFolder(t);
  const root = join(parent, "rxrx1_v1.0");
  const plate = join(root, "images/HUVEC-17/Plate2");
  await mkdir(plate, { recursive: true });
  await writeFile(join(plate, "C05_s1.png"), "");
  await writeFile(
    join(root, "metadata.csv"),
    `site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id
HUVEC-17_2_C05_1,HUVEC-17_2_C05,HUVEC,val,HUVEC-17,2,C05,1,treatment,s12,12
`,
  );
  const dataset = await openDataset(parent);
  assert.equal(dataset.layout, "wilds");
  assert.deepEqual(dataset.channels, ["nuclei", "ER", "actin"]);
  const path = join(plate, "C05_s1.png");
  const { sites } = await dataset.load("HUVEC-17");
  assert.deepEqual(sites[0]!.images, [
    imageAt(path, { band: 0 }),
    imageAt(path, { band: 1 }),
    imageAt(path, { band: 2 }),
  ]);
  assert.equal(sites[0]!.metadata.dataset, "val");
});
