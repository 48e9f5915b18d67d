import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import Zstd from "numcodecs/zstd";
import sharp from "sharp";
import { seededRandom } from "../../common/random.ts";
import { imageAt, type PlaneAddress } from "../../screen/image-source.ts";
import { readSources } from "../../screen/read-site.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { page, type TiffPage, writeTiff } from "../kit/tiff.ts";

const [width, height] = [70, 37];

const ramp = (most: number): number[] => {
  const random = seededRandom("tiff");
  return Array.from({ length: width * height }, (_, i) => ((i >> 3) * 7 + Math.floor(random() * 5)) % (most + 1));
};

const readAt = async (path: string, address?: PlaneAddress, range?: readonly [number, number]) =>
  (await readSources([imageAt(path, address)], { range })[0])!;

test("TIFFs written by libtiff in every lossless way are read to the last bit", async (t) => {
  const folder = await temporaryFolder(t);
  const layouts = [{}, { tile: true, tileWidth: 32, tileHeight: 16 }, { bigtiff: true }];
  for (const bits of [8, 16] as const) {
    const pixels = bits === 8 ? Uint8Array.from(ramp(255)) : Uint16Array.from(ramp(65535), (value) => value * 13);
    for (const compression of ["none", "lzw", "deflate", "packbits"] as const) {
      for (const predictor of ["none", "horizontal"] as const) {
        for (const layout of layouts) {
          const path = join(folder, "one.tif");
          await sharp(pixels, { raw: { width, height, channels: 1 } })
            .toColourspace(bits === 8 ? "b-w" : "grey16")
            .tiff({ compression, predictor, ...layout })
            .toFile(path);
          const what = `${bits} bit, ${compression}, predictor ${predictor}, ${JSON.stringify(layout)}`;
          const plane = await readAt(path);
          assert.deepEqual(
            [plane.width, plane.height, plane.pixels.BYTES_PER_ELEMENT * 8],
            [width, height, bits],
            what,
          );
          assert.deepEqual(plane.pixels, pixels, what);
        }
      }
    }
  }
});

test("Zstandard is unpacked, and a damaged block is refused", async (t) => {
  const path = join(await temporaryFolder(t), "zstd.tif");
  const pixels = Uint8Array.from(ramp(255));
  const packed = await new Zstd().encode(pixels);
  await writeFile(path, writeTiff(page(width, height, packed, { 259: [50000] })));
  assert.deepEqual((await readAt(path)).pixels, pixels);
  await writeFile(path, writeTiff(page(width, height, packed.subarray(0, 99), { 259: [50000] })));
  await assert.rejects(readAt(path), /truncated or damaged.*\(Zstandard\)/);
});

test("an LZW file of more than one table of strings is read to the last bit", async (t) => {
  const path = join(await temporaryFolder(t), "large.tif");
  const random = seededRandom("lzw");
  const pixels = Uint16Array.from({ length: 300 * 200 }, () => 400 + Math.floor(random() * 90));
  await sharp(pixels, { raw: { width: 300, height: 200, channels: 1 } })
    .toColourspace("grey16")
    .tiff({ compression: "lzw", predictor: "horizontal" })
    .toFile(path);
  assert.deepEqual((await readAt(path)).pixels, pixels);
});

test("a colour file gives the band that is asked for, and none unasked", async (t) => {
  const path = join(await temporaryFolder(t), "rgb.tif");
  const pixels = Uint8Array.from({ length: 6 * 4 * 3 }, (_, i) => i);
  await sharp(pixels, { raw: { width: 6, height: 4, channels: 3 } })
    .tiff({ compression: "lzw", predictor: "none" })
    .toFile(path);
  const [green, blue] = await Promise.all([1, 2].map((band) => readAt(path, { band })));
  assert.deepEqual([...green!.pixels.subarray(0, 3)], [1, 4, 7]);
  assert.deepEqual([...blue!.pixels.subarray(0, 3)], [2, 5, 8]);
  await assert.rejects(readAt(path), /3 numbers per pixel \(a colour image\).*save one grey image per channel/);
  await assert.rejects(readAt(path, { band: 3 }), /value 4 of every pixel is needed, the file has 3/);
});

test("depths that are not whole bytes, signed and float numbers keep their values", async (t) => {
  const path = join(await temporaryFolder(t), "depth.tif");
  const cases: readonly [what: string, made: TiffPage, expected: number[]][] = [
    ["4 bit", page(3, 1, Uint8Array.of(0x1f, 0x70), { 258: [4] }), [1, 15, 7]],
    ["12 bit", page(3, 1, Uint8Array.of(0x12, 0x3f, 0xff, 0x00, 0x10), { 258: [12] }), [0x123, 0xfff, 1]],
    ["24 bit", page(2, 1, Uint8Array.of(1, 2, 0, 0xff, 0xff, 0), { 258: [24] }), [513, 65535]],
    ["32 bit", page(2, 1, new Uint8Array(Uint32Array.of(7, 65535).buffer), { 258: [32] }), [7, 65535]],
    ["signed 16", page(2, 1, new Uint8Array(Int16Array.of(3, 32767).buffer), { 258: [16], 339: [2] }), [3, 32767]],
    ["float", page(2, 1, new Uint8Array(Float32Array.of(4095, 12).buffer), { 258: [32], 339: [3] }), [4095, 12]],
    ["half", page(2, 1, new Uint8Array(Uint16Array.of(0x3c00, 0x6400).buffer), { 258: [16], 339: [3] }), [1, 1024]],
  ];
  for (const [what, made, expected] of cases) {
    await writeFile(path, writeTiff(made));
    assert.deepEqual([...(await readAt(path)).pixels], expected, what);
  }
});

test("a stated range maps float and signed values, and what lies outside is refused", async (t) => {
  const path = join(await temporaryFolder(t), "float.tif");
  await writeFile(
    path,
    writeTiff(page(3, 1, new Uint8Array(Float32Array.of(0, 0.5, 1).buffer), { 258: [32], 339: [3] })),
  );
  await assert.rejects(readAt(path), /a float image with the value 0.5; without a stated range only whole numbers/);
  assert.deepEqual([...(await readAt(path, {}, [0, 1])).pixels], [0, 32768, 65535]);
  await assert.rejects(readAt(path, {}, [0, 0.9]), /the value 1, outside of the stated range 0 to 0.9/);
  await writeFile(
    path,
    writeTiff(page(2, 1, new Uint8Array(Int16Array.of(-32768, 5).buffer), { 258: [16], 339: [2] })),
  );
  await assert.rejects(readAt(path), /value -32768/);
  assert.deepEqual([...(await readAt(path, {}, [-32768, 32767])).pixels], [0, 32773]);
});

test("what would change the values is refused, with the reason and the way out", async (t) => {
  const path = join(await temporaryFolder(t), "refused.tif");
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const fire = Array.from({ length: 768 }, (_, i) => (i * 7919) % 65536);
  const cases: readonly [TiffPage, RegExp][] = [
    [page(4, 1, bytes, { 262: [0] }), /inverted grey \(white is zero\), which is not read; save it as grey/],
    [page(1, 1, bytes, { 258: [8, 8, 8, 8], 262: [5], 277: [4] }), /CMYK/],
    [page(4, 1, bytes, { 262: [3], 320: fire }), /palette is not a scale from dark to bright/],
    [page(1, 1, bytes, { 258: [8, 8, 8, 8], 262: [2], 277: [4], 338: [1] }), /multiplied by transparency/],
    [page(4, 1, bytes, { 274: [3] }), /turned or mirrored \(orientation 3\)/],
    [page(4, 1, bytes, { 266: [2] }), /fill order 2/],
    [page(4, 1, bytes, { 259: [7] }), /compressed with JPEG, which is not read; save it uncompressed or with LZW/],
    [page(4, 1, bytes, { 259: [4711] }), /compressed with method 4711/],
    [page(4, 1, bytes, { 339: [4] }), /unstated type/],
    [page(2, 1, bytes, { 258: [8, 16], 277: [2] }), /different depths \(8, 16 bit\)/],
    [page(4, 1, bytes, { 259: [8], 317: [2], 258: [4] }), /differences between pixels \(predictor 2\) of 4 bit/],
    [page(4, 1, bytes, { 317: [2] }), /a predictor \(2\) without a compression that knows it/],
    [page(4, 1, bytes, { 33629: [1, 2, 3] }), /MetaMorph's stack of 3 planes in one page \(STK\) is not read/],
    [
      page(4, 1, bytes, { 270: '{"shape": [3, 1, 4], "truncated": true}' }),
      /stack of 3 images of which only 1 are listed/,
    ],
    [page(4, 1, bytes, { 279: [0] }), /blocks of pixels are missing/],
    [page(4, 2, bytes), /a block of pixels has 4 bytes and must have 8/],
    [page(4, 1, bytes, { 270: "ImageJ=1.53\nimages=20\n" }), /ImageJ's stack of 20 images with only 1 listed/],
  ];
  for (const [made, words] of cases) {
    await writeFile(path, writeTiff(made));
    await assert.rejects(readAt(path), (error: Error) => {
      assert.match(error.message, words);
      assert.ok(error.message.startsWith(`[unreadable-image] ${path}: `), error.message);
      return true;
    });
  }
});

test("a lookup table that rises from dark to bright is for display: its index is what was measured", async (t) => {
  const path = join(await temporaryFolder(t), "blue.tif");
  const blue = Array.from({ length: 768 }, (_, i) => (i < 512 ? 0 : (i - 512) * 257));
  await writeFile(path, writeTiff(page(4, 1, Uint8Array.of(9, 0, 255, 7), { 262: [3], 320: blue })));
  assert.deepEqual([...(await readAt(path)).pixels], [9, 0, 255, 7]);
});

test("pages: counted, by the words of ImageJ and of OME, and never the first one unasked", async (t) => {
  const path = join(await temporaryFolder(t), "pages.tif");
  const make = (description?: string) =>
    writeTiff(
      ...Array.from({ length: 6 }, (_, i) =>
        page(1, 1, Uint8Array.of(10 + i), i === 0 && description !== undefined ? { 270: description } : {}),
      ),
    );
  const value = async (address?: PlaneAddress) => (await readAt(path, address)).pixels[0];

  await writeFile(path, make());
  await assert.rejects(value(), /the file has 6 pages and does not say what they are; name one per channel/);
  assert.equal(await value({ frame: 4 }), 14);
  await assert.rejects(value({ frame: 6 }), /plane 6 is asked for \(counted from 0\), and the file has 6/);

  await writeFile(path, make("ImageJ=1.53\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n"));
  await assert.rejects(value(), /the file has 2 channels, and the dataset does not say which to read/);
  await assert.rejects(value({ channel: 1 }), /the file has 3 z-planes/);
  assert.equal(await value({ channel: 1, z: 2 }), 15);
  assert.equal(await value({ channel: 0, z: "maximum" }), 14);

  const pixels = (order: string, data: string) =>
    `<?xml version="1.0"?><OME xmlns="x"><Image ID="Image:0"><Pixels DimensionOrder="${order}" SizeC="2" SizeZ="3" ` +
    `SizeT="1"><Channel ID="a" Name="DNA"/><Channel ID="b" Name="ER"/>${data}</Pixels></Image></OME>`;
  await writeFile(path, make(pixels("XYZCT", "<TiffData/>")));
  assert.equal(await value({ channel: "ER", z: 1 }), 14);
  await assert.rejects(value({ channel: "Golgi", z: 1 }), /channel "Golgi" is asked for, and the file has DNA, ER/);
  const mixed = [5, 4, 3, 2, 1, 0].map((ifd, i) => `<TiffData IFD="${ifd}" FirstC="${i % 2}" FirstZ="${i >> 1}"/>`);
  await writeFile(path, make(pixels("XYCZT", mixed.join(""))));
  assert.equal(await value({ channel: "DNA", z: 0 }), 15);
  assert.equal(await value({ channel: "ER", z: "maximum" }), 14);
});

test("a file that was cut anywhere, or whose packed pixels were changed, is refused", async (t) => {
  const path = join(await temporaryFolder(t), "cut.tif");
  const pixels = Uint8Array.from({ length: 400 }, (_, i) => (i * 31) % 256);
  const packed = deflateSync(pixels);
  const whole = writeTiff(page(20, 20, packed, { 259: [8] }));
  for (let length = 1; length < whole.length; length += 3) {
    await writeFile(path, whole.subarray(0, length));
    await assert.rejects(readAt(path), /truncated|damaged|not an image of a format/, `cut after ${length} bytes`);
  }
  for (let at = 8; at < 8 + packed.length; at += 5) {
    const changed = Uint8Array.from(whole);
    changed[at]! ^= 0x10;
    await writeFile(path, changed);
    await assert.rejects(readAt(path), /truncated or damaged.*\(Deflate\)/, `byte ${at} changed`);
  }
});
