import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { type ChannelQuality, siteQuality } from "../../evaluation/quality/site-quality.ts";
import { judgeWells, meanOfSites, plateDrifts } from "../../evaluation/quality/well-quality.ts";

const size = 32;
const noise = (seed: string): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: size * size }, () => 100 + 50 * random());
};
const measured = (pixels: Uint8Array) => siteQuality({ pixels, channels: 1, height: size, width: size })[0]!;

/** Means of 3x3 pixels. */
const blurred = (pixels: Uint8Array): Uint8Array =>
  pixels.map((_, i) => {
    const near = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => pixels[i + dy * size + dx] ?? pixels[i]!));
    return near.reduce((sum, value) => sum + value, 0) / 9;
  });

test("quality - focus falls with blur, saturation is the share of white pixels", () => {
  const sharp = noise("a");
  assert.ok(measured(blurred(sharp)).focus < measured(sharp).focus / 3);
  const half = sharp.map((value, i) => (i % 2 === 0 ? 255 : value));
  assert.equal(measured(half).saturated, 0.5);
  assert.deepEqual(measured(new Uint8Array(size * size)), { mean: 0, contrast: 0, focus: 0, saturated: 0 });
});

const plate = (change: (quality: ChannelQuality, at: number) => ChannelQuality) =>
  Array.from({ length: 24 }, (_, at) => ({
    plate: "1",
    well: `${"BCDEFG"[at % 6]}0${2 + Math.floor(at / 6)}`,
    channels: [change(measured(noise(`${at}`)), at)],
  }));

test("quality - a blurred well and an empty one are flagged, and no other", () => {
  const odd = plate((quality, at) => (at === 3 ? measured(blurred(blurred(noise("3")))) : quality));
  const empty = odd.map((well, at) =>
    at === 7 ? { ...well, channels: [measured(new Uint8Array(size * size))] } : well,
  );
  const flags = judgeWells(empty).map(({ flags }) => flags.map(({ flag }) => flag));
  assert.ok(flags[3]!.includes("blurred"));
  assert.ok(flags[7]!.includes("empty"));
  assert.deepEqual(
    flags.filter((_, at) => at !== 3 && at !== 7),
    new Array(22).fill([]),
  );
});

test("quality - a plate that is brighter from row to row is reported", () => {
  const drifting = plate((quality, at) => ({ ...quality, mean: quality.mean * 1.2 ** (at % 6) }));
  const [found, ...more] = plateDrifts(drifting);
  assert.deepEqual([found!.along, more.length], ["rows", 0]);
  assert.ok(Math.abs(found!.ratio - 1.2 ** 5) < 0.2);
  assert.deepEqual(plateDrifts(plate((quality) => quality)), []);
});

test("quality - a well is the mean of its sites", () => {
  const of = (mean: number): ChannelQuality => ({ mean, contrast: 1, focus: 1, saturated: 0 });
  assert.equal(meanOfSites([[of(1)], [of(3)]])[0]!.mean, 2);
});
