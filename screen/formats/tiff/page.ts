/** What a page's tags say about its pixels. What is not on this file's lists is refused in words. */
import { unreadable } from "../../unreadable.ts";
import { decompressors } from "./decompress.ts";
import type { Directory } from "./directory.ts";

export type SampleFormat = "unsigned" | "signed" | "float";

export interface Page {
  readonly width: number;
  readonly height: number;
  /** Numbers per pixel. */
  readonly samples: number;
  readonly bits: number;
  readonly format: SampleFormat;
  /** How a pixel's numbers make a colour; `index` counts into a palette that rises from dark to bright. */
  readonly colour: "grey" | "rgb" | "index";
  readonly compression: number;
  readonly predictor: number;
  readonly blocks: Blocks;
}

/** Strips are blocks as wide as the page. */
export interface Blocks {
  readonly width: number;
  readonly height: number;
  readonly tiled: boolean;
  /** One plane of blocks per sample, instead of blocks of whole pixels. */
  readonly planar: boolean;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
}

const tags = {
  subfileType: 254,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  description: 270,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripLengths: 279,
  planar: 284,
  predictor: 317,
  palette: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileLengths: 325,
  extraSamples: 338,
  format: 339,
} as const;

const mostPixels = 2 ** 29;

const compressionNames: Readonly<Record<number, string>> = {
  ...{ 2: "CCITT (fax)", 3: "CCITT group 3 (fax)", 4: "CCITT group 4 (fax)", 6: "old JPEG", 7: "JPEG" },
  ...{ 32766: "NeXT", 32809: "ThunderScan", 33003: "JPEG 2000", 33005: "JPEG 2000", 34661: "JBIG" },
  ...{ 34676: "SGI LogLuv", 34677: "SGI LogLuv", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy JPEG" },
  ...{ 34925: "LZMA", 50001: "WebP", 50002: "JPEG XL", 22610: "JPEG XR", 34934: "JPEG XR" },
};

const colourNames: Readonly<Record<number, string>> = {
  ...{ 0: "inverted grey (white is zero)", 4: "a transparency mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab" },
  ...{ 9: "ICCLab", 10: "ITULab", 32803: "a colour filter array", 32844: "LogL", 32845: "LogLuv", 34892: "raw" },
};

/** A smaller copy of another page, or a mask. */
export const isThumbnail = (directory: Directory): boolean => ((directory.numbers(tags.subfileType)[0] ?? 0) & 5) !== 0;

export const descriptionOf = (directory: Directory): string => directory.text(tags.description);

export const readPage = (directory: Directory): Page => {
  const one = (tag: number, otherwise?: number): number => {
    const value = directory.numbers(tag)[0] ?? otherwise;
    if (value === undefined) throw unreadable(`the file is damaged: a page without tag ${tag}`);
    return value;
  };
  const width = one(tags.width);
  const height = one(tags.height);
  if (!(width > 0 && height > 0 && width * height <= mostPixels))
    throw unreadable(`the file is damaged, or its image too large: ${width}x${height} pixels`);
  const samples = one(tags.samples, 1);
  if (!(samples > 0 && samples * width * height <= mostPixels))
    throw unreadable(`the file is damaged: ${samples} samples per pixel`);
  if (one(tags.orientation, 1) !== 1)
    throw unreadable(
      `the image is stored turned or mirrored (orientation ${one(tags.orientation)}); save it with orientation 1 (top left)`,
    );
  if (one(tags.fillOrder, 1) !== 1)
    throw unreadable("the bits of each byte are reversed (fill order 2), which is not read");
  const compression = one(tags.compression, 1);
  if (decompressors[compression] === undefined)
    throw unreadable(
      `compressed with ${compressionNames[compression] ?? `method ${compression}`}, which is not read; ` +
        "save it uncompressed or with LZW, Deflate, PackBits or Zstandard",
    );
  const format = formatOf(directory);
  const bits = bitsOf(directory, samples, format);
  return {
    width,
    height,
    samples,
    bits,
    format,
    colour: colourOf(directory, samples, bits),
    compression,
    predictor: predictorOf(one(tags.predictor, 1), bits, format, compression),
    blocks: blocksOf(directory, width, height, samples),
  };
};

const formatOf = (directory: Directory): SampleFormat => {
  const codes = [...new Set(directory.numbers(tags.format))];
  if (codes.length > 1) throw unreadable("the samples of a pixel are of different types, which is not read");
  const code = codes[0] ?? 1;
  const format = ({ 1: "unsigned", 2: "signed", 3: "float" } as const)[code];
  if (format !== undefined) return format;
  throw unreadable(
    `pixels of ${code === 4 ? "unstated type" : "complex numbers"} (sample format ${code}) are not read`,
  );
};

const bitsOf = (directory: Directory, samples: number, format: SampleFormat): number => {
  const each = directory.numbers(tags.bits);
  const bits = each[0] ?? 1;
  if (each.some((other) => other !== bits) || each.length > samples)
    throw unreadable(`the samples of a pixel have different depths (${each.join(", ")} bit), which is not read`);
  const known = {
    unsigned: bits >= 1 && bits <= 32,
    signed: [8, 16, 32].includes(bits),
    float: [16, 32, 64].includes(bits),
  };
  if (known[format]) return bits;
  throw unreadable(`${format} pixels of ${bits} bit are not read`);
};

const colourOf = (directory: Directory, samples: number, bits: number): Page["colour"] => {
  const photometric = directory.numbers(tags.photometric)[0] ?? (samples === 1 ? 1 : undefined);
  const extra = directory.numbers(tags.extraSamples);
  if (extra.includes(1))
    throw unreadable("its colours are multiplied by transparency (associated alpha); save it without transparency");
  if (photometric === 1) return "grey";
  if (photometric === 2 && samples >= 3) return "rgb";
  if (photometric === 3 && samples === 1) {
    if (isRamp(directory.numbers(tags.palette), 2 ** bits)) return "index";
    throw unreadable("its palette is not a scale from dark to bright, so that the pixels are colours; save it as grey");
  }
  const name = photometric === undefined ? "not stated" : (colourNames[photometric] ?? `number ${photometric}`);
  throw unreadable(`the colour scheme of the file is ${name}, which is not read; save it as grey (black is zero)`);
};

/** A lookup table for display leaves the order of brightness as it is: then the index is what was measured. */
const isRamp = (palette: readonly number[], colours: number): boolean => {
  if (palette.length !== 3 * colours) return false;
  let rises = false;
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 1; i < colours; i++) {
      const step = palette[channel * colours + i]! - palette[channel * colours + i - 1]!;
      if (step < 0) return false;
      rises ||= step > 0;
    }
  }
  return rises;
};

/** Without compression, or with PackBits, some readers apply a predictor and others ignore it. */
const predictorOf = (predictor: number, bits: number, format: SampleFormat, compression: number): number => {
  if (predictor === 1) return predictor;
  if (compression === 1 || compression === 32773)
    throw unreadable(`a predictor (${predictor}) without a compression that knows it is not read; save it without`);
  if (predictor === 2 && format !== "float" && [8, 16, 32].includes(bits)) return predictor;
  if (predictor === 3 && format === "float") return predictor;
  throw unreadable(`differences between pixels (predictor ${predictor}) of ${bits} bit ${format} are not read`);
};

const blocksOf = (directory: Directory, width: number, height: number, samples: number): Blocks => {
  const tiled = directory.has(tags.tileOffsets) || directory.has(tags.tileWidth);
  const offsets = directory.numbers(tiled ? tags.tileOffsets : tags.stripOffsets);
  const lengths = directory.numbers(tiled ? tags.tileLengths : tags.stripLengths);
  const rows = directory.numbers(tags.rowsPerStrip)[0] ?? height;
  const block = tiled
    ? { width: directory.numbers(tags.tileWidth)[0] ?? 0, height: directory.numbers(tags.tileHeight)[0] ?? 0 }
    : { width, height: Math.min(rows, height) };
  const planarCode = directory.numbers(tags.planar)[0] ?? 1;
  if (planarCode !== 1 && planarCode !== 2) throw unreadable(`the file is damaged: planar configuration ${planarCode}`);
  const planar = planarCode === 2 && samples > 1;
  if (!(block.width > 0 && block.height > 0 && block.width * block.height <= mostPixels))
    throw unreadable(`the file is damaged: blocks of ${block.width}x${block.height} pixels`);
  const across = Math.ceil(width / block.width) * Math.ceil(height / block.height) * (planar ? samples : 1);
  if (offsets.length !== across || lengths.length !== across)
    throw unreadable(
      `the file is damaged: it lists ${offsets.length} blocks of pixels and ${lengths.length} lengths, and needs ${across}`,
    );
  if (lengths.includes(0)) throw unreadable("blocks of pixels are missing from the file (length 0)");
  return { ...block, tiled, planar, offsets, lengths };
};
