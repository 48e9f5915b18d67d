/** Decodes PNG, scales and writes images: the only file that imports sharp. */
import sharp from "sharp";
import type { PngHeader } from "./formats/png/chunks.ts";
import { unreadable } from "./unreadable.ts";

// Decoding many small files in parallel is our own business; libvips' operation cache would only hold memory.
sharp.cache(false);
sharp.concurrency(1);

type Pixels = Uint8Array | Uint16Array;

/**
 * The numbers of all pixels as they stand in the file, [height, width, samples]; colour profiles and gamma are ignored.
 * `samples` may differ from the header's by the transparency, which comes last.
 */
export const decodePng = async (
  file: Uint8Array,
  { width, height, bits, samples }: PngHeader,
): Promise<{ readonly pixels: Pixels; readonly samples: number }> => {
  try {
    const space = samples <= 2 ? (bits === 8 ? "b-w" : "grey16") : bits === 8 ? "srgb" : "rgb16";
    const { data, info } = await sharp(file, { failOn: "error", ignoreIcc: true, limitInputPixels: false })
      .toColourspace(space)
      .raw({ depth: bits === 8 ? "uchar" : "ushort" })
      .toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height) throw new Error("its size is not that of its header");
    return { pixels: pixelsOf(data, bits), samples: info.channels };
  } catch (cause) {
    throw unreadable(`the file is truncated or damaged: ${(cause as Error).message.trim()}`, cause);
  }
};

const pixelsOf = ({ buffer, byteOffset, byteLength }: Buffer, bits: 8 | 16): Pixels =>
  bits === 8
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);

/** Scales a square grey image to another side (Lanczos). */
export const scaleSquare = async (pixels: Pixels, side: number, to: number): Promise<Pixels> => {
  const bits = pixels instanceof Uint8Array ? 8 : 16;
  const data = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
    .resize(to, to)
    .toColourspace(bits === 8 ? "b-w" : "grey16")
    .raw({ depth: bits === 8 ? "uchar" : "ushort" })
    .toBuffer();
  return pixelsOf(data, bits);
};

/** Writes a single-channel image; the file's ending chooses PNG or TIFF, the array's type 8 or 16 bit. */
export const writeGreyImage = async (path: string, pixels: Pixels, width: number, height: number): Promise<void> => {
  const space = pixels instanceof Uint8Array ? "b-w" : "grey16";
  const image = sharp(pixels, { raw: { width, height, channels: 1 } }).toColourspace(space);
  // Noise does not compress: the fastest level costs 1 % of size here and a third of the time.
  await (path.endsWith(".png") ? image.png({ compressionLevel: 1 }) : image.tiff({ compression: "deflate" })).toFile(
    path,
  );
};

/** Encodes one channel of 8 bit for a screen, row-major [height, width]. */
export const encodeGreyPng = (pixels: Uint8Array, width: number, height: number): Promise<Buffer> =>
  sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace("b-w")
    .png({ compressionLevel: 1 })
    .toBuffer();
