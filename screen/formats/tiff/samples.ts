/** From the unpacked bytes of a block to its numbers, in the order of the file. */
import { endianness } from "node:os";
import { unreadable } from "../../unreadable.ts";
import type { SampleValues } from "../pixel-values.ts";
import type { Page } from "./page.ts";

type Stored = Pick<Page, "bits" | "format" | "predictor">;

/** Bytes of one row of `count` numbers; rows start at whole bytes. */
export const rowBytes = (count: number, bits: number): number => Math.ceil((count * bits) / 8);

/**
 * The numbers of a block: `rows` rows of `count` numbers each, of which `stride` belong to one pixel. May use the memory
 * of `bytes`.
 */
export const samplesOf = (
  bytes: Uint8Array,
  { bits, format, predictor }: Stored,
  shape: { readonly rows: number; readonly count: number; readonly stride: number },
  littleEndian: boolean,
): SampleValues => {
  if (predictor === 3) {
    const ordered = undoFloatPredictor(bytes, bits / 8, shape);
    return typed(ordered, bits, format, endianness() === "LE");
  }
  if (bits % 8 !== 0 || bits === 24) return unpackBits(bytes, bits, shape, littleEndian);
  const values = typed(predictor === 2 ? bytes.slice() : bytes, bits, format, littleEndian);
  if (predictor === 2) undoDifferences(values, shape);
  return values;
};

const typed = (bytes: Uint8Array, bits: number, format: Page["format"], littleEndian: boolean): SampleValues => {
  const size = bits / 8;
  const native = littleEndian === (endianness() === "LE");
  const own = native && bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes); // typed arrays start at multiples
  if (!native && size > 1) swapBytes(own, size);
  const { buffer, byteOffset } = own;
  const length = Math.floor(own.byteLength / size);
  if (bits === 16 && format === "float") return halfFloats(new Uint16Array(buffer, byteOffset, length));
  return new arrays[`${format} ${bits}`]!(buffer as ArrayBuffer, byteOffset, length);
};

const arrays: Readonly<Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => SampleValues>> = {
  "unsigned 8": Uint8Array,
  "unsigned 16": Uint16Array,
  "unsigned 32": Uint32Array,
  "signed 8": Int8Array,
  "signed 16": Int16Array,
  "signed 32": Int32Array,
  "float 32": Float32Array,
  "float 64": Float64Array,
};

const swapBytes = (bytes: Uint8Array, size: number): void => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength - (bytes.byteLength % size));
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else buffer.swap64();
};

/** IEEE 754 binary16. */
const halfFloats = (halves: Uint16Array): Float32Array =>
  Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });

/** Numbers of other depths are packed one after the other, most significant bit first, also in little-endian files. */
const unpackBits = (
  bytes: Uint8Array,
  bits: number,
  { rows, count }: { readonly rows: number; readonly count: number },
  littleEndian: boolean,
): SampleValues => {
  const values =
    bits <= 8
      ? new Uint8Array(rows * count)
      : bits <= 16
        ? new Uint16Array(rows * count)
        : new Uint32Array(rows * count);
  const perRow = rowBytes(count, bits);
  for (let row = 0; row < rows; row++) {
    if (bits === 24) {
      for (let i = 0; i < count; i++) {
        const at = row * perRow + 3 * i;
        const [a, b, c] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!];
        values[row * count + i] = littleEndian ? (c << 16) | (b << 8) | a : (a << 16) | (b << 8) | c;
      }
      continue;
    }
    let [at, held, have] = [row * perRow, 0, 0];
    for (let i = 0; i < count; i++) {
      while (have < bits) {
        held = held * 256 + bytes[at++]!;
        have += 8;
      }
      have -= bits;
      const unit = 2 ** have;
      const value = Math.floor(held / unit);
      values[row * count + i] = value;
      held -= value * unit;
    }
  }
  return values;
};

const undoDifferences = (
  values: SampleValues,
  { rows, count, stride }: { readonly rows: number; readonly count: number; readonly stride: number },
): void => {
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * count;
    for (let i = row * count + stride; i < end; i++) values[i]! += values[i - stride]!; // the array's type wraps around
  }
};

/** Adobe's technical note 3: bytes of equal weight stand together, most significant first, as differences. */
const undoFloatPredictor = (
  bytes: Uint8Array,
  size: number,
  { rows, count, stride }: { readonly rows: number; readonly count: number; readonly stride: number },
): Uint8Array => {
  const perRow = count * size;
  if (bytes.length < rows * perRow)
    throw unreadable("the file is truncated or damaged: a block of pixels is too short");
  const ordered = new Uint8Array(rows * perRow);
  const first = endianness() === "LE" ? size - 1 : 0;
  const step = endianness() === "LE" ? -1 : 1;
  for (let row = 0; row < rows; row++) {
    const line = bytes.slice(row * perRow, (row + 1) * perRow);
    for (let i = stride; i < perRow; i++) line[i]! += line[i - stride]!;
    for (let byte = 0; byte < size; byte++) {
      for (let i = 0; i < count; i++) ordered[row * perRow + i * size + first + step * byte] = line[byte * count + i]!;
    }
  }
  return ordered;
};
