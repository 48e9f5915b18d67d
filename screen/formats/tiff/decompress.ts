/** The lossless compressions of TIFF. Every one gives exactly the bytes that a block must have, or says what is wrong. */
import { promisify } from "node:util";
import { inflate } from "node:zlib";
import Zstd from "numcodecs/zstd";
import { unreadable } from "../../unreadable.ts";
import { decodeLzw } from "./lzw.ts";

/** `size` is the number of bytes that the block must have. */
export type Decompress = (packed: Uint8Array, size: number) => Promise<Uint8Array>;

const inflateAsync = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);

const deflate: Decompress = (packed, size) =>
  inflateAsync(packed, { maxOutputLength: size }).catch((cause) => Promise.reject(damaged("Deflate", cause)));

const zstandard: Decompress = async (packed) => {
  try {
    return await new Zstd().decode(packed);
  } catch (cause) {
    throw damaged("Zstandard", cause);
  }
};

const packBits: Decompress = async (packed, size) => {
  const unpacked = new Uint8Array(size);
  let [from, to] = [0, 0];
  while (to < size) {
    if (from >= packed.length) throw damaged("PackBits");
    const code = packed[from++]!;
    if (code === 128) continue;
    const length = code < 128 ? code + 1 : 257 - code;
    if (to + length > size || from + (code < 128 ? length : 1) > packed.length) throw damaged("PackBits");
    if (code < 128) {
      unpacked.set(packed.subarray(from, from + length), to);
      from += length;
    } else unpacked.fill(packed[from++]!, to, to + length);
    to += length;
  }
  return unpacked;
};

const damaged = (name: string, cause?: unknown) =>
  unreadable(`the file is truncated or damaged: a block of pixels cannot be unpacked (${name})`, cause);

export const decompressors: Readonly<Record<number, Decompress>> = {
  1: async (packed) => packed,
  5: async (packed, size) => decodeLzw(packed, size),
  8: deflate,
  32773: packBits,
  32946: deflate,
  50000: zstandard,
};
