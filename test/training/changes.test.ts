/** Changes to images that are learnt from: turns, zooms, grey levels, and boxes of other images. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { pasteBoxes } from "../../training/data/cutmix.ts";
import { bend, normalDraw, type Warp, writeWarped } from "../../training/data/warp.ts";

const side = 9;
const frame = { height: side, width: side, cropHeight: side, cropWidth: side };
const picture = Uint8Array.from({ length: side * side }, (_, i) => (7 * (i % side) + 13 * Math.floor(i / side)) % 200);
const still: Warp = { angle: 0, zoom: 1, hflip: false, centreY: (side - 1) / 2, centreX: (side - 1) / 2 };
const warped = (change: Partial<Warp>, crop = frame) => {
  const target = new Uint8Array(crop.cropHeight * crop.cropWidth);
  writeWarped(target, 0, picture, { ...still, ...change }, crop);
  return target;
};

test("warp - nothing changed is the picture; a quarter turn moves its pixels clockwise", () => {
  assert.deepEqual(warped({}), picture);
  const turned = warped({ angle: Math.PI / 2 });
  const expected = picture.map((_, i) => picture[(side - 1 - (i % side)) * side + Math.floor(i / side)]!);
  assert.deepEqual(turned, expected);
});

test("warp - zoom 2 shows the middle half, with what lies between two pixels between them", () => {
  const ramp = Uint8Array.from({ length: side * side }, (_, i) => 20 * (i % side));
  const target = new Uint8Array(side * side);
  writeWarped(target, 0, ramp, { ...still, zoom: 2 }, frame);
  assert.deepEqual([...target.subarray(0, side)], [40, 50, 60, 70, 80, 90, 100, 110, 120]);
});

test("warp - beyond the picture its mirror image goes on", () => {
  const target = new Uint8Array(side * side);
  const ramp = Uint8Array.from({ length: side * side }, (_, i) => 20 * (i % side));
  writeWarped(target, 0, ramp, { ...still, centreX: 1 }, frame);
  assert.deepEqual([...target.subarray(0, side)], [40, 20, 0, 0, 20, 40, 60, 80, 100]);
});

test("gamma - black and white stay, what is between is bent", () => {
  const pixels = Uint8Array.of(9, 0, 64, 128, 255, 9);
  bend(pixels, 1, 4, 2);
  assert.deepEqual([...pixels], [9, 0, 16, 64, 255, 9]);
  const wide = Uint16Array.of(0, 16384, 65535);
  bend(wide, 0, 3, 0.5, 65535);
  assert.deepEqual([...wide], [0, 32768, 65535]);
});

test("normal draws - mean 0 and deviation 1", () => {
  const random = seededRandom("normal");
  const draws = Array.from({ length: 20_000 }, () => normalDraw(random));
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  const deviation = Math.sqrt(draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length);
  assert.ok(Math.abs(mean) < 0.03 && Math.abs(deviation - 1) < 0.03, `mean ${mean}, deviation ${deviation}`);
});

test("CutMix - a box comes from the partner, in the grey levels of its own image, and the target by its area", () => {
  const images = {
    pixels: Uint8Array.of(...new Array(16).fill(100), ...new Array(16).fill(40)),
    scale: Float32Array.of(1, 2),
    offset: Float32Array.of(0, 10),
    plate: new Float32Array(),
  };
  const target = Float32Array.of(1, 0, 0, 1);
  const mixed = pasteBoxes(images, target, [1, 0], 0.75, () => 0, { channels: 1, height: 4, width: 4 });
  const rows = (from: number) =>
    Array.from({ length: 4 }, (_, y) => [...mixed.pixels.subarray(from + 4 * y, from + 4 * y + 4)]);
  // What 40 shows in the second image, 2 * 40 + 10, is 90 in the first; what 100 shows in the first is 45 in the second.
  assert.deepEqual(rows(0), [
    [90, 90, 100, 100],
    [90, 90, 100, 100],
    [100, 100, 100, 100],
    [100, 100, 100, 100],
  ]);
  assert.deepEqual(rows(16)[0], [45, 45, 40, 40]);
  assert.deepEqual([...mixed.target], [0.75, 0.25, 0.25, 0.75]);
  assert.deepEqual([...images.pixels.subarray(0, 2)], [100, 100], "the images that were given stay as they are");
});
