import assert from "node:assert/strict";
import { mkdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { verifyData } from "../../cli/data/verify.ts";
import { openDataset } from "../../datasets/open.ts";
import { verifyDataset } from "../../datasets/verify.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const wells = ["B02", "B03", "B04", "B05", "B06", "B07"];

const writeDataset = async (
  t: TestContext,
): Promise<{ root: string; file: (well: string, channel: number) => string }> => {
  const root = await temporaryFolder(t);
  const plate = join(root, "images/RPE-01/Plate1");
  await mkdir(plate, { recursive: true });
  const file = (well: string, channel: number) => join(plate, `${well}_s1_w${channel}.png`);
  for (const well of wells) {
    for (let channel = 1; channel <= 6; channel++) {
      const noise = Uint8Array.from({ length: 32 * 32 }, (_, at) => (at * 7919 * channel) % 251);
      await writeGreyImage(file(well, channel), noise, 32, 32);
    }
  }
  const rows = wells.map((well) => `RPE-01,1,${well},1,treatment`);
  await writeFile(join(root, "metadata.csv"), ["experiment,plate,well,site,well_type", ...rows].join("\n"));
  return { root, file };
};

test("a dataset without problems is all right", async (t) => {
  const { root } = await writeDataset(t);
  const seen: number[] = [];
  const verification = await verifyDataset(await openDataset(root), { onProgress: ({ sites }) => seen.push(sites) });
  assert.deepEqual(verification, {
    sites: 6,
    files: 36,
    image: { width: 32, height: 32, bits: 8 },
    problems: [],
  });
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6]);
});

test("truncated, missing, misshapen and foreign files are found at once", async (t) => {
  const { root, file } = await writeDataset(t);
  await truncate(file("B02", 1), Math.floor((await stat(file("B02", 1))).size / 2));
  await rm(file("B03", 2));
  for (let channel = 1; channel <= 6; channel++) await rm(file("B04", channel));
  await writeGreyImage(file("B05", 3), new Uint8Array(64), 8, 8);
  await writeGreyImage(file("B06", 4), new Uint16Array(32 * 32), 32, 32);
  await writeFile(file("B07", 5), "not a picture");
  const { problems } = await verifyDataset(await openDataset(root));
  const listed = problems.map(({ well, path, problem }) => [well, path?.slice(-6, -4), problem.replace(/[:;].*/, "")]);
  assert.deepEqual(listed, [
    ["B02", "w1", "the file is truncated or damaged"],
    ["B03", "w2", "the file is missing"],
    ["B04", "w1", "all 6 files of the site are missing"],
    ["B05", "w3", "expected 32x32 pixels of 8 bit as in the other files, got 8x8 pixels of 8 bit"],
    ["B06", "w4", "expected 32x32 pixels of 8 bit as in the other files, got 32x32 pixels of 16 bit"],
    ["B07", "w5", "the file is not an image of a format that is known here"],
  ]);
});

test("headers alone do not show that a file is truncated, but that it is missing", async (t) => {
  const { root, file } = await writeDataset(t);
  await truncate(file("B02", 1), 300);
  await rm(file("B03", 2));
  const { problems } = await verifyDataset(await openDataset(root), { decode: false });
  assert.deepEqual(
    problems.map(({ well }) => well),
    ["B03"],
  );
});

test("the command lists bad rows and bad files together, and says so with its exit code", async (t) => {
  const { root, file } = await writeDataset(t);
  await rm(file("B07", 1));
  await writeFile(
    join(root, "metadata.csv"),
    "experiment,plate,well,site,well_type\nRPE-01,1,B06,1,treatment\nRPE-01,1,B99,1,treatment\nRPE-01,1,B07,1,treatment\n",
  );
  const written = t.mock.method(process.stdout, "write", () => true);
  const code = await verifyData(root, { layout: "auto" });
  const text = String(written.mock.calls[0]!.arguments[0]);
  written.mock.restore();
  assert.equal(code, 2);
  assert.equal(
    text,
    `${root}: 2 sites, 12 files, 32x32 pixels of 8 bit; 2 problems:
  - ${join(root, "metadata.csv")}:3, column well: expected a well from A01 to AF48, got "B99"
  - RPE-01 plate 1 well B07 site 1: ${file("B07", 1)}: the file is missing
`,
  );
});

test("a verification can be cancelled", async (t) => {
  const { root } = await writeDataset(t);
  await assert.rejects(verifyDataset(await openDataset(root), { signal: AbortSignal.abort() }), { code: "cancelled" });
});
