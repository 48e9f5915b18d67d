import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import type { SiteImage } from "../../screen/site-image.ts";
import { decode } from "../../stages/decode.ts";
import { contextFor, runStage } from "../kit/context.ts";
import { fileOf, temporaryFolder, writeExperiment } from "../kit/experiment.ts";

const random = seededRandom("noise");
const seededRandomByte = () => Math.floor(random() * 256);

test("decode - gives [C, H, W] in the order of sites and channels", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), { channels: 3, size: 4 });
  const second = fileOf(experiment.sites[2]!, 1);
  await writeGreyImage(
    second,
    Uint8Array.from({ length: 16 }, (_, i) => i),
    4,
    4,
  );
  const { context, memory } = contextFor(experiment);
  const images = await runStage<"site-image">(decode, {}, experiment.sites, context);
  assert.deepEqual(
    images.map(({ site }) => site),
    experiment.sites,
  );
  const { pixels, channels, height, width } = images[2]!;
  assert.deepEqual([channels, height, width], [3, 4, 4]);
  assert.deepEqual(
    [...pixels.subarray(16, 32)],
    Array.from({ length: 16 }, (_, i) => i),
  );
  assert.deepEqual([...pixels.subarray(32)], new Array(16).fill(1));
  assert.equal(memory.used, 12 * 48);
});

test("decode - 16 bit TIFF keeps its values", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), {
    plates: 1,
    wells: 1,
    sites: 1,
    channels: 1,
    size: 4,
  });
  const path = fileOf(experiment.sites[0]!).replace(".png", ".tiff");
  await writeGreyImage(
    path,
    Uint16Array.from({ length: 16 }, (_, i) => i * 4000),
    4,
    4,
  );
  const site = { ...experiment.sites[0]!, images: [imageAt(path)] };
  const { context } = contextFor({ ...experiment, sites: [site] });
  const [image] = (await runStage<"site-image">(decode, {}, [site], context)) as [SiteImage];
  assert.ok(image.pixels instanceof Uint16Array);
  assert.deepEqual(
    [...image.pixels],
    Array.from({ length: 16 }, (_, i) => i * 4000),
  );
});

test("decode - cuts out of the middle, then scales", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), {
    plates: 1,
    wells: 1,
    sites: 1,
    channels: 1,
    size: 8,
  });
  const path = fileOf(experiment.sites[0]!);
  await writeGreyImage(
    path,
    Uint8Array.from({ length: 64 }, (_, i) => i),
    8,
    8,
  );
  const { context } = contextFor(experiment);
  const [cut] = await runStage<"site-image">(decode, { crop: 2 }, experiment.sites, context);
  assert.deepEqual([...cut!.pixels], [27, 28, 35, 36]);
  const [scaled] = await runStage<"site-image">(decode, { crop: 4, resize: 8 }, experiment.sites, context);
  assert.deepEqual([scaled!.height, scaled!.width, scaled!.pixels.length], [8, 8, 64]);
});

test("decode - a missing, truncated or odd file leaves its site out, with file and reason", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), {
    plates: 1,
    wells: 6,
    sites: 1,
    channels: 1,
    size: 8,
  });
  const [missing, truncated, small, deep, noImage] = experiment.sites.map((site) => fileOf(site)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  await writeFile(missing, "");
  const noise = Uint8Array.from({ length: 64 * 64 }, seededRandomByte);
  await writeGreyImage(truncated, noise, 64, 64); // noise does not compress
  const { readFile } = await import("node:fs/promises");
  await writeFile(truncated, (await readFile(truncated)).subarray(0, 2000));
  await writeGreyImage(small, new Uint8Array(16), 4, 4);
  await writeGreyImage(deep, new Uint16Array(64), 8, 8);
  await writeFile(noImage, "not an image");
  // most of the experiment is fine, so that the odd ones are recognised
  const fine = await writeExperiment(await temporaryFolder(t), { wells: 10, sites: 1, channels: 1 });
  const { context, leftOut, memory } = contextFor({ ...experiment, sites: [...fine.sites, ...experiment.sites] });
  const images = await runStage<"site-image">(decode, {}, experiment.sites, context);
  assert.deepEqual(
    images.map(({ site }) => site.well),
    ["B07"],
  );
  leftOut.sort((a, b) => a.site.well.localeCompare(b.site.well));
  assert.deepEqual(
    leftOut.map(({ site }) => site.well),
    ["B02", "B03", "B04", "B05", "B06"],
  );
  assert.match(leftOut[0]!.reason, /_w1\.png: the file is empty \(0 bytes\)/);
  assert.match(leftOut[1]!.reason, /_w1\.png: the file is truncated or damaged/i);
  assert.equal(
    leftOut[2]!.reason,
    `${small}: the images of this experiment have 8x8 pixels of 8 bit, this one has 4x4 pixels of 8 bit`,
  );
  assert.equal(
    leftOut[3]!.reason,
    `${deep}: the images of this experiment have 8x8 pixels of 8 bit, this one has 8x8 pixels of 16 bit`,
  );
  assert.equal(memory.used, 64, "only the good image holds memory");
});

test("decode - an experiment none of whose images can be read is an error", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), { plates: 1, wells: 2, sites: 1, channels: 1 });
  for (const site of experiment.sites) await writeFile(fileOf(site), "no");
  const { context } = contextFor(experiment);
  await assert.rejects(runStage(decode, {}, experiment.sites, context), {
    message:
      /^\[unreadable-image\] none of 2 images of experiment HUVEC-01 that were tried can be read; the first: .*B02_s1_w1\.png/,
  });
});

test("decode - images with nothing to see, or with shifted values, are noted", async (t) => {
  const folder = await temporaryFolder(t);
  const experiment = await writeExperiment(folder, { plates: 1, wells: 2, sites: 1, channels: 1, size: 4 });
  const [first, second] = experiment.sites.map((site) => fileOf(site)) as [string, string];
  await writeGreyImage(first, new Uint16Array(16).fill(300), 4, 4);
  await writeGreyImage(
    second,
    Uint16Array.from({ length: 16 }, (_, i) => 32768 + i),
    4,
    4,
  );
  const { context, notes } = contextFor(experiment);
  await runStage<"site-image">(decode, {}, experiment.sites, context);
  assert.match(
    notes[0]!,
    /^1 sites have a channel of one grey level everywhere, the first is plate 1 B02 site 1, channel 1/,
  );
  assert.match(
    notes[1]!,
    /^1 sites have a channel whose values are all 32768 or more, the first is plate 1 B03 site 1/,
  );
});
