import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** An ImageXpress folder of two plates with two wells, and a map beside it. */
const screen = async (t: TestContext, map: readonly string[]) => {
  const folder = await temporaryFolder(t);
  for (const plate of ["Alpha", "Beta"]) {
    await mkdir(join(folder, "images", plate, "TimePoint_1"), { recursive: true });
    for (const well of ["B02", "C03"])
      await writeFile(join(folder, "images", plate, "TimePoint_1", `${plate}_${well}_s1_w1.tif`), "");
  }
  const plateMap = join(folder, "map.csv");
  await writeFile(plateMap, map.join("\n"));
  return { data: join(folder, "images"), plateMap };
};

const sitesOf = async (dataset: Awaited<ReturnType<typeof openDataset>>) =>
  (await Promise.all(dataset.experiments.map(({ id }) => dataset.load(id)))).flatMap(({ sites }) =>
    sites.map(({ experiment, cellType, plate, well, wellType, treatment, metadata }) => ({
      ...{ at: `${experiment} ${plate} ${well}`, cellType, wellType, treatment, metadata },
    })),
  );

test("a plate map says what is in the wells of an instrument's images, and which plates belong together", async (t) => {
  const { data, plateMap } = await screen(t, [
    "Plate;Well;Compound;Control type;Cell line;Batch;Metadata_Dose",
    "Alpha;b2;aspirin;;U2OS;one;0.5",
    "Alpha;C3;DMSO;negcon;U2OS;one;0",
    "Beta;r02c02;ibuprofen;;A549;two;1",
    "Beta;D04;nothing;;A549;two;1",
  ]);
  const dataset = await openDataset(data, { plateMap });
  assert.deepEqual(dataset.experiments, [
    { id: "images", cellType: "unknown", sites: 1 },
    { id: "one", cellType: "U2OS", sites: 2 },
    { id: "two", cellType: "A549", sites: 1 },
  ]);
  const [unsaid, first, control, other] = await sitesOf(dataset);
  assert.deepEqual([unsaid!.at, unsaid!.treatment, unsaid!.wellType], ["images Beta C03", undefined, "treatment"]);
  assert.deepEqual([first!.at, first!.treatment, first!.wellType], ["one Alpha B02", "aspirin", "treatment"]);
  assert.equal(first!.metadata.Dose, "0.5");
  assert.deepEqual([control!.treatment, control!.wellType], ["DMSO", "negative_control"]);
  assert.deepEqual([other!.at, other!.treatment], ["two Beta B02", "ibuprofen"]);
  assert.ok(dataset.tables.includes(plateMap));
  assert.ok(
    dataset.notes.some((note) => note.endsWith("does not say what 1 wells hold: Beta C03")),
    `${dataset.notes}`,
  );
  assert.ok(
    dataset.notes.some((note) => note.endsWith("names 1 wells without an image: Beta D04")),
    `${dataset.notes}`,
  );
  assert.deepEqual(dataset.taken.find(({ what }) => what === "class")!.from, "column Compound");
});

test("a map without plates holds for every plate", async (t) => {
  const { data, plateMap } = await screen(t, ["well,treatment", "B02,a", "C03,b"]);
  const sites = await sitesOf(await openDataset(data, { plateMap }));
  assert.deepEqual(
    sites.map(({ at, treatment }) => `${at} ${treatment}`),
    ["images Alpha B02 a", "images Alpha C03 b", "images Beta B02 a", "images Beta C03 b"],
  );
});

test("a map that contradicts itself, fits no plate or lacks the wells is refused", async (t) => {
  for (const [lines, message] of [
    [["well,treatment", "B02,a", "B2,b"], /map\.csv:3.*a plate map says one thing of each well, and .*map\.csv:2/],
    [
      ["plate,well,treatment", "Gamma,B02,a"],
      /no well of the map is a well of .*: the map has plates Gamma, the images Alpha, Beta/,
    ],
    [["position,treatment", "B02,a"], /expected columns for well; none found for well/],
    [["well,treatment", "Z99,a"], /map\.csv:2, column well: expected a well from A01 to AF48, got "Z99"/],
  ] as const) {
    const { data, plateMap } = await screen(t, lines);
    await assert.rejects(openDataset(data, { plateMap }), message);
  }
});
