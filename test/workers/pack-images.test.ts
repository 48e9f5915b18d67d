import assert from "node:assert/strict";
import { test } from "node:test";
import { packImages } from "../../pipeline/workers/pack-images.ts";

const image = (pixels: Uint8Array | Uint16Array, scale?: number, width = 2) => ({
  pixels,
  channels: 1,
  height: 1,
  width,
  ...(scale === undefined ? {} : { affine: { scale: [scale], offset: [0.5] } }),
});
const pack = (...images: ReturnType<typeof image>[]) =>
  packImages(
    images,
    images.map((_, index) => index),
  );

test("the pixels of a batch lie one image after the other", () => {
  const { pixels, shape, plates } = pack(image(Uint8Array.of(1, 2)), image(Uint8Array.of(3, 4)));
  assert.deepEqual(plates, [0, 1]);
  assert.deepEqual([...pixels], [1, 2, 3, 4]);
  assert.deepEqual(shape, [2, 1, 1, 2]);
});

test("16-bit pixels stay 16-bit", () => {
  const images = [image(Uint16Array.of(1000, 2)), image(Uint16Array.of(3, 65535))];
  const { pixels } = pack(...images);
  assert.ok(pixels instanceof Uint16Array);
  assert.deepEqual([...pixels], [1000, 2, 3, 65535]);
});

test("an affine that all images share is sent once, unequal ones per image, none as none", () => {
  const pixels = Uint8Array.of(1, 2);
  assert.deepEqual(pack(image(pixels, 2), image(pixels, 2)).scale, [2]);
  const unequal = pack(image(pixels, 2), image(pixels, 3));
  assert.deepEqual(
    [unequal.scale, unequal.offset],
    [
      [2, 3],
      [0.5, 0.5],
    ],
  );
  assert.deepEqual(pack(image(pixels)).scale, []);
});

test("images that are not alike make no batch", () => {
  const first = image(Uint8Array.of(1, 2));
  assert.throws(
    () => pack(first, image(Uint8Array.of(1, 2, 3), undefined, 3)),
    /equal shapes and types, got 1x1x2 \(2 values of uint8\) and 1x1x3 \(3 values of uint8\)/,
  );
  assert.throws(() => pack(first, image(Uint16Array.of(1, 2))), /2 values of uint16/);
  assert.throws(() => pack(first, image(Uint8Array.of(1, 2), 1)), /have an affine or none, got 1 of 2/);
  assert.throws(() => pack(), /at least one image/);
});
