import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { imageAt, type PlaneAddress } from "../../screen/image-source.ts";
import { readSources } from "../../screen/read-site.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const readAt = async (path: string, address?: PlaneAddress) => (await readSources([imageAt(path, address)])[0])!;

const values = Uint16Array.from({ length: 300 }, (_, i) => (i * 217) % 65536);

test("a colour profile changes no value, with 8 and with 16 bit", async (t) => {
  const folder = await temporaryFolder(t);
  for (const bits of [8, 16] as const) {
    const pixels = bits === 8 ? Uint8Array.from(values) : values;
    const path = join(folder, `${bits}.png`);
    const image = sharp(pixels, { raw: { width: 20, height: 5, channels: 3 } });
    await image
      .toColourspace(bits === 8 ? "srgb" : "rgb16")
      .withIccProfile("p3", { attach: true })
      .png()
      .toFile(path);
    assert.ok((await sharp(path).metadata()).hasProfile);
    const stored = await sharp(path, { ignoreIcc: true })
      .toColourspace(bits === 8 ? "srgb" : "rgb16")
      .raw({ depth: bits === 8 ? "uchar" : "ushort" })
      .toBuffer();
    const expected = bits === 8 ? stored : new Uint16Array(stored.buffer, stored.byteOffset, stored.length / 2);
    for (const band of [0, 1, 2]) {
      const { pixels: got } = await readAt(path, { band });
      assert.deepEqual(
        [...got],
        [...expected].filter((_, i) => i % 3 === band),
      );
    }
  }
});

test("transparency and colour are refused unless the dataset names the band", async (t) => {
  const path = join(await temporaryFolder(t), "a.png");
  await sharp(
    Uint8Array.from({ length: 24 }, (_, i) => i * 10),
    { raw: { width: 6, height: 2, channels: 2 } },
  )
    .toColourspace("b-w")
    .png()
    .toFile(path);
  await assert.rejects(readAt(path), /2 numbers per pixel \(grey and transparency\)/);
  assert.deepEqual([...(await readAt(path, { band: 0 })).pixels.subarray(0, 3)], [0, 20, 40]);
  await sharp(new Uint8Array(64), { raw: { width: 8, height: 8, channels: 1 } })
    .png({ palette: true })
    .toFile(path);
  await assert.rejects(readAt(path), /palette|bit per pixel is not read/);
});

test("a PNG with one wrong bit, or cut anywhere, is refused", async (t) => {
  const path = join(await temporaryFolder(t), "b.png");
  await sharp(Uint8Array.from(values), { raw: { width: 20, height: 15, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toFile(path);
  const whole = await readFile(path);
  for (let at = 8; at < whole.length; at += 11) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1;
    await writeFile(path, changed);
    await assert.rejects(readAt(path), /damaged|truncated|bit per pixel|palette/, `byte ${at}`);
    await writeFile(path, whole.subarray(0, at));
    await assert.rejects(readAt(path), /damaged|truncated/, `cut at ${at}`);
  }
});
