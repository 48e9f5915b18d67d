import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { readSite } from "../../screen/read-site.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const npy = (values: Float32Array, height: number, width: number): Uint8Array => {
  const header = `${`{'descr': '<f4', 'fortran_order': False, 'shape': (${height}, ${width}), }`.padEnd(117)}\n`;
  const head = Buffer.concat([Buffer.from([0x93]), Buffer.from("NUMPY"), Buffer.from([1, 0, header.length, 0])]);
  return Buffer.concat([head, Buffer.from(header, "latin1"), Buffer.from(values.buffer)]);
};

test("a table's illumination functions divide the images, and its checksums are looked at", async (t) => {
  const folder = await temporaryFolder(t);
  await writeGreyImage(join(folder, "a.tiff"), Uint16Array.of(100, 200, 300, 400, 500, 65535), 3, 2);
  await writeFile(join(folder, "f.npy"), npy(Float32Array.of(1, 2, 3, 0.5, 1, 0.5), 2, 3));
  const sha256 = createHash("sha256")
    .update(await readFile(join(folder, "a.tiff")))
    .digest("hex");
  const table = (hex: string, field = "f.npy") =>
    writeFile(
      join(folder, "load_data.csv"),
      `FileName_OrigDNA,SHA256_OrigDNA,FileName_IllumDNA,Metadata_Plate,Metadata_Well,Metadata_Site\na.tiff,${hex},${field},P1,B02,1\n`,
    );
  const images = async () => {
    const dataset = await openDataset(folder);
    return (await dataset.load(dataset.experiments[0]!.id)).sites[0]!.images;
  };
  await table(sha256);
  assert.deepEqual([...(await readSite(await images())).pixels], [100, 200, 300, 400, 500, 65535]);
  const corrected = await readSite(await images(), { illumination: true });
  assert.deepEqual([...corrected.pixels], [100, 100, 100, 800, 500, 65535]);
  await table(sha256, "none.npy");
  await assert.rejects(
    readSite(await images(), { illumination: true }),
    /a\.tiff: the illumination function .*none\.npy is missing/,
  );
  await table("0".repeat(64));
  await assert.rejects(
    readSite(await images()),
    /the file was changed or damaged: its sha256 is .*, the dataset says 0000/,
  );
});
