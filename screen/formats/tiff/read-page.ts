/** Reads the pixels of a page, block by block. */
import type { Bytes } from "../../stores/bytes.ts";
import { unreadable } from "../../unreadable.ts";
import type { ValueRange } from "../../value-range.ts";
import type { Plane } from "../format.ts";
import { type Pixels, pixelBits, toPixels } from "../pixel-values.ts";
import { decompressors } from "./decompress.ts";
import type { Page } from "./page.ts";
import { rowBytes, samplesOf } from "./samples.ts";

/** Blocks are fetched in pieces of about this size, where they lie one after the other. */
const pieceBytes = 8 * 2 ** 20;

/** One plane per sample in `bands`, in that order. */
export const readBands = async (
  bytes: Bytes,
  page: Page,
  bands: readonly number[],
  littleEndian: boolean,
  range?: ValueRange,
): Promise<Plane[]> => {
  const { width, height, blocks, samples } = page;
  const bits = pixelBits(page.bits, page.format);
  const planes = new Map<number, Pixels>(
    bands.map((band) => [band, new (bits === 8 ? Uint8Array : Uint16Array)(width * height)]),
  );
  const across = Math.ceil(width / blocks.width);
  const perPlane = across * Math.ceil(height / blocks.height);
  const wanted = blocks.planar
    ? [...planes.keys()].flatMap((band) => Array.from({ length: perPlane }, (_, i) => band * perPlane + i))
    : Array.from({ length: perPlane }, (_, i) => i);
  for await (const { index, packed } of fetchBlocks(bytes, page, wanted)) {
    const top = Math.floor((index % perPlane) / across) * blocks.height;
    const left = (index % across) * blocks.width;
    const stride = blocks.planar ? 1 : samples;
    const rows = blocks.tiled ? blocks.height : Math.min(blocks.height, height - top);
    const shape = { rows, count: blocks.width * stride, stride };
    const unpacked = await unpack(packed, page, shape);
    const values = toPixels(samplesOf(unpacked, page, shape, littleEndian), bits, range);
    for (const [band, pixels] of planes) {
      if (blocks.planar && Math.floor(index / perPlane) !== band) continue;
      const from = { values, width: blocks.width, stride, sample: blocks.planar ? 0 : band };
      copyBlock(from, { pixels, width, height }, left, top);
    }
  }
  return bands.map((band) => ({ pixels: planes.get(band)!, width, height }));
};

const unpack = async (
  packed: Uint8Array,
  { bits, blocks, compression }: Page,
  { rows, count }: { readonly rows: number; readonly count: number },
): Promise<Uint8Array> => {
  const size = rows * rowBytes(count, bits);
  const whole = blocks.height * rowBytes(count, bits);
  const decompress = decompressors[compression]!;
  // The last strip has the rows that are left; some writers fill it up.
  const unpacked = await decompress(packed, size).catch((error) =>
    whole === size ? Promise.reject(error) : decompress(packed, whole),
  );
  if (unpacked.length < size)
    throw unreadable(
      `the file is truncated or damaged: a block of pixels has ${unpacked.length} bytes and must have ${size}`,
    );
  return unpacked.subarray(0, size);
};

interface Block {
  readonly values: Pixels;
  readonly width: number;
  readonly stride: number;
  readonly sample: number;
}

const copyBlock = ({ values, width, stride, sample }: Block, into: Plane, left: number, top: number): void => {
  const { pixels } = into;
  if (stride === 1 && left === 0 && width === into.width) {
    pixels.set(values.subarray(0, (into.height - top) * width), top * into.width);
    return;
  }
  const right = Math.min(left + width, into.width);
  const rows = Math.min(values.length / (width * stride), into.height - top);
  for (let y = 0; y < rows; y++) {
    let from = y * width * stride + sample;
    const line = (top + y) * into.width;
    for (let x = left; x < right; x++, from += stride) pixels[line + x] = values[from]!;
  }
};

/** Blocks that lie one after the other come with one read. */
async function* fetchBlocks(
  bytes: Bytes,
  { blocks: { offsets, lengths } }: Page,
  wanted: readonly number[],
): AsyncGenerator<{ readonly index: number; readonly packed: Uint8Array }> {
  for (let i = 0; i < wanted.length; ) {
    const start = offsets[wanted[i]!]!;
    let end = start + lengths[wanted[i]!]!;
    let last = i;
    while (last + 1 < wanted.length && offsets[wanted[last + 1]!] === end && end - start < pieceBytes)
      end += lengths[wanted[++last]!]!;
    const piece = await bytes.read(start, end - start);
    for (; i <= last; i++) {
      const index = wanted[i]!;
      const at = offsets[index]! - start;
      yield { index, packed: piece.subarray(at, at + lengths[index]!) };
    }
  }
}
