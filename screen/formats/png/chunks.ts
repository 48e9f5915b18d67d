/** The chunks of a PNG (W3C PNG, third edition): their checksums, and what the header says. */
import { crc32 } from "node:zlib";
import { unreadable } from "../../unreadable.ts";

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 16;
  /** Numbers per pixel, transparency included. */
  readonly samples: 1 | 2 | 3 | 4;
}

/** Length of signature and header. */
export const headerBytes = 33;

const colourTypes: Readonly<Record<number, 1 | 2 | 3 | 4>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/** @param head the first `headerBytes` of the file */
export const readPngHeader = (head: Uint8Array): PngHeader => {
  if (head.length < headerBytes || name(head, 12) !== "IHDR")
    throw unreadable("the file is truncated or damaged: a PNG without header");
  checkChunk(head, 8, 13);
  const view = new DataView(head.buffer, head.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colour] = [head[24]!, head[25]!];
  if (width === 0 || height === 0 || width * height > 2 ** 29)
    throw unreadable(`the file is damaged, or its image too large: ${width}x${height} pixels`);
  if (colour === 3) throw unreadable("a PNG with a palette: its pixels are colours; save it as grey");
  const samples = colourTypes[colour];
  if (samples === undefined) throw unreadable(`the file is damaged: colour type ${colour}`);
  if (depth !== 8 && depth !== 16)
    throw unreadable(`a PNG of ${depth} bit per pixel is not read; save it with 8 or 16 bit`);
  return { width, height, bits: depth, samples };
};

/** Goes through all chunks: decoders show what they could save of a damaged file, and here that is not an image. */
export const checkPng = (file: Uint8Array): void => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 8; ; ) {
    if (at + 12 > file.length) throw unreadable("the file is truncated: its end is missing");
    const length = view.getUint32(at);
    if (at + 12 + length > file.length)
      throw unreadable("the file is truncated or damaged: a chunk ends behind the end of the file");
    checkChunk(file, at, length);
    const kind = name(file, at + 4);
    if (kind === "acTL") throw unreadable("an animated PNG has several images");
    if (kind === "IEND") return;
    at += 12 + length;
  }
};

const checkChunk = (file: Uint8Array, at: number, length: number): void => {
  const stored = new DataView(file.buffer, file.byteOffset).getUint32(at + 8 + length);
  if (crc32(file.subarray(at + 4, at + 8 + length)) === stored) return;
  throw unreadable(`the file is damaged: the checksum of its ${name(file, at + 4)} chunk is wrong`);
};

const name = (file: Uint8Array, at: number): string => String.fromCharCode(...file.subarray(at, at + 4));
