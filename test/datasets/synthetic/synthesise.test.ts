import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../../datasets/open.ts";
import { synthesise } from "../../../datasets/synthetic/synthesise.ts";
import { verifyDataset } from "../../../datasets/verify.ts";
import { temporaryFolder } from "../../kit/experiment.ts";

const small = { size: 16, classes: 2, positiveControls: 1, sites: 1, plates: 2 };

/** One digest of all images of an experiment, names and bytes. */
const digest = async (root: string, experiment: string): Promise<string> => {
  const folder = join(root, "images", experiment);
  const hash = createHash("sha256");
  for (const plate of (await readdir(folder)).sort()) {
    for (const file of (await readdir(join(folder, plate))).sort())
      hash.update(`${plate}/${file}`).update(await readFile(join(folder, plate, file)));
  }
  return hash.digest("hex");
};

test("an experiment is a function of seed and name, whichever others are made with it", async (t) => {
  const folder = await temporaryFolder(t);
  const [alone, together, other] = ["alone", "together", "other"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await synthesise(alone, { experiments: ["HUVEC-07"], ...small });
  await synthesise(together, { experiments: ["RPE-01", "HUVEC-07", "HUVEC-08"], ...small });
  await synthesise(other, { experiments: ["HUVEC-07"], ...small, seed: 2 });
  const expected = await digest(alone, "HUVEC-07");
  assert.equal(await digest(together, "HUVEC-07"), expected);
  assert.notEqual(await digest(together, "HUVEC-08"), expected);
  assert.notEqual(await digest(other, "HUVEC-07"), expected);
});

test("the folder is a dataset in the public layout, without problems", async (t) => {
  const root = await temporaryFolder(t);
  const seen: number[] = [];
  await synthesise(
    root,
    { experiments: ["U2OS-04", "HEPG2-01"], ...small },
    { onProgress: ({ done, all }) => seen.push(done / all) },
  );
  assert.equal(seen.at(-1), 1);
  const dataset = await openDataset(root);
  assert.equal(dataset.layout, "rxrx1");
  assert.deepEqual(dataset.experiments, [
    { id: "HEPG2-01", cellType: "HEPG2", sites: 8 },
    { id: "U2OS-04", cellType: "U2OS", sites: 8 },
  ]);
  const { problems, image } = await verifyDataset(dataset);
  assert.deepEqual(problems, []);
  assert.deepEqual(image, { width: 16, height: 16, bits: 8 });
  const { sites, plates } = await dataset.load("U2OS-04");
  assert.deepEqual(plates, ["1", "2"]);
  assert.equal(sites[0]!.metadata.dataset, "test");
  assert.equal(sites.find(({ wellType }) => wellType === "negative_control")!.treatment, "5");
});

test("missing sites are in neither table nor folder", async (t) => {
  const root = await temporaryFolder(t);
  await synthesise(root, { experiments: ["RPE-01"], ...small, sites: 2, missingSites: 0.4, missingWells: 0.3 });
  const dataset = await openDataset(root);
  const { sites } = await dataset.load("RPE-01");
  const files = (
    await Promise.all(["Plate1", "Plate2"].map((plate) => readdir(join(root, "images/RPE-01", plate))))
  ).flat();
  assert.ok(sites.length < 16);
  assert.equal(files.length, 6 * sites.length);
  assert.deepEqual((await verifyDataset(dataset)).problems, []);
});

test("a finished experiment is not made again, others are added, other parameters are refused", async (t) => {
  const root = await temporaryFolder(t);
  await synthesise(root, { experiments: ["RPE-02"], ...small });
  const plate = join(root, "images/RPE-02/Plate1");
  const [file] = await readdir(plate);
  await rm(join(plate, file!));
  await synthesise(root, { experiments: ["RPE-02", "RPE-01"], ...small });
  assert.equal((await readdir(plate)).includes(file!), false);
  assert.deepEqual(
    (await openDataset(root)).experiments.map(({ id }) => id),
    ["RPE-01", "RPE-02"],
  );
  await assert.rejects(synthesise(root, { experiments: ["RPE-03"], ...small, seed: 7, classes: 3 }), {
    code: "invalid-config",
    message: `[invalid-config] ${root} holds experiments of other parameters; choose another folder, or ask for the same:
  - seed was 1, now 7
  - classes was 2, now 3`,
  });
});

test("interrupted, it lists complete experiments only, and the same call goes on", async (t) => {
  const root = await temporaryFolder(t);
  const stop = new AbortController();
  const experiments = ["RPE-01", "RPE-02", "RPE-03", "RPE-04", "RPE-05", "RPE-06"];
  const interrupted = synthesise(
    root,
    { experiments, ...small },
    { signal: stop.signal, onProgress: ({ experimentsDone }) => experimentsDone === 1 && stop.abort() },
  );
  await assert.rejects(interrupted, { code: "cancelled" });
  const partial = await openDataset(root);
  assert.ok(partial.experiments.length >= 1 && partial.experiments.length < 6);
  assert.deepEqual((await verifyDataset(partial)).problems, []);
  await synthesise(root, { experiments, ...small });
  const whole = await openDataset(root);
  assert.equal(whole.experiments.length, 6);
  assert.deepEqual((await verifyDataset(whole)).problems, []);
});

test("interrupted before its first experiment, the folder stays what it was begun as", async (t) => {
  const root = await temporaryFolder(t);
  const call = { experiments: ["RPE-01"], ...small };
  await assert.rejects(synthesise(root, call, { signal: AbortSignal.abort() }), { code: "cancelled" });
  await assert.rejects(synthesise(root, { ...call, missingWells: 0.5 }), /missingWells was 0, now 0\.5/);
  await synthesise(root, call);
  assert.deepEqual((await verifyDataset(await openDataset(root))).problems, []);
});

test("full-size images of large cells are written", async (t) => {
  const root = await temporaryFolder(t);
  const wells = { classes: 1, plates: 1, positiveControls: 0, negativeControls: 0, sites: 1 };
  await synthesise(root, { experiments: ["HUVEC-01"], ...wells, size: 512, scale: 2.5 });
  const { problems, image, files } = await verifyDataset(await openDataset(root));
  assert.deepEqual(problems, []);
  assert.equal(files, 6);
  assert.deepEqual(image, { width: 512, height: 512, bits: 8 });
});

test("parameters out of range, odd names and folders of others are refused", async (t) => {
  const root = await temporaryFolder(t);
  await assert.rejects(synthesise(root, { experiments: ["HUVEC"] }), /named by cell type and number.* got HUVEC/);
  await assert.rejects(synthesise(root, { experiments: ["A-01"], size: 3 }), { code: "invalid-config" });
  await assert.rejects(
    synthesise(root, { experiments: ["A-01"], classes: 277, positiveControls: 30, negativeControls: 2 }),
    /a plate has room for 308 wells, got 309/,
  );
  await writeFile(join(root, "metadata.csv"), "");
  await assert.rejects(synthesise(root, { experiments: ["A-01"] }), /a dataset that this command did not write/);
});
