/** Decoded pictures stay in memory up to the given bound and no further. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { openPictures } from "../../training/data/pictures.ts";
import type { Sample } from "../../training/data/samples.ts";

const folder = await mkdtemp(join(tmpdir(), "platestream-pictures-"));
after(() => rm(folder, { recursive: true }));

const side = 8;

const makeSample = async (site: number): Promise<Sample> => {
  const path = join(folder, `${site}.png`);
  await writeGreyImage(path, new Uint8Array(side * side).fill(site), side, side);
  const images = [imageAt(path)];
  const place = { experiment: "A-01", cellType: "A", plate: "1", well: "B02", site };
  return { site: { ...place, wellType: "treatment", images, metadata: {} }, treatment: "0", plate: 0 };
};

const samples = await Promise.all([1, 2, 3, 4, 5, 6].map(makeSample));

/** How many of the samples are given as decoded before. */
const keptOf = async (cacheBytes: number): Promise<number> => {
  const pictures = openPictures({ cacheBytes });
  const first = await Promise.all(samples.map((sample) => pictures.load(sample)));
  const second = await Promise.all(samples.map((sample) => pictures.load(sample)));
  assert.deepEqual(second, first);
  return second.filter((picture, i) => picture === first[i]).length;
};

test("pictures - as many are kept as fit, also of those that are decoded at the same time", async () => {
  assert.equal(await keptOf(6 * side * side), 6);
  assert.equal(await keptOf(3 * side * side + 1), 3);
  assert.equal(await keptOf(side * side - 1), 0);
});

test("pictures - what could not be read is read again", async () => {
  const pictures = openPictures({ cacheBytes: 2 ** 20 });
  const lost = await makeSample(7);
  await rm(join(folder, "7.png"));
  await assert.rejects(pictures.load(lost));
  await makeSample(7);
  assert.equal((await pictures.load(lost)).pixels[0], 7);
});
