/** Reads and writes image files: the only file that imports sharp. */
import sharp from "sharp";
import { PlatestreamError } from "../common/errors.ts";

// Decoding many small files in parallel is our own business; libvips' operation cache would only hold memory.
sharp.cache(false);
sharp.concurrency(1);

/** One file's pixels, row-major [height, width, bands], 8 or 16 bit as in the file. */
export interface DecodedImage {
  readonly pixels: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
}

export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly bits: 8 | 16;
}

const unreadable = (path: string, cause: unknown): PlatestreamError => {
  const said = (cause as Error).message.replaceAll(path, "").trim().replace(/:$/, "");
  const reason = said === "Unknown error" ? "the file is truncated or damaged" : said; // libvips keeps no reason for some
  return new PlatestreamError("unreadable-image", `${path}: ${reason}`, { cause });
};

const bitsOf = (path: string, depth: string | undefined): 8 | 16 => {
  if (depth === "uchar") return 8;
  if (depth === "ushort") return 16;
  throw new PlatestreamError("unreadable-image", `${path}: pixels must be 8 or 16 bit unsigned, got ${depth}`);
};

/** Reads width, height, bands and depth without decoding the pixels. */
export const readImageHeader = async (path: string): Promise<ImageHeader> => {
  const { width, height, channels, depth } = await sharp(path)
    .metadata()
    .catch((cause) => Promise.reject(unreadable(path, cause)));
  return { width, height, bands: channels, bits: bitsOf(path, depth) };
};

export interface Geometry {
  /** Side of the square to cut out of the middle, in pixels of the file. */
  readonly crop?: number | undefined;
  /** Side to scale to afterwards. */
  readonly resize?: number | undefined;
}

/** Decodes a PNG or TIFF, off the JavaScript thread. A truncated file is an error. */
export const decodeImage = async (path: string, { crop, resize }: Geometry = {}): Promise<DecodedImage> => {
  try {
    const image = sharp(path, { failOn: "truncated" });
    const { depth, channels, width, height } = await image.metadata();
    const bits = bitsOf(path, depth);
    const space = channels <= 2 ? (bits === 8 ? "b-w" : "grey16") : bits === 8 ? "srgb" : "rgb16";
    if (crop !== undefined) {
      if (crop > Math.min(width, height))
        throw new Error(`cannot cut ${crop}x${crop} out of ${width}x${height} pixels`);
      image.extract({ left: (width - crop) >> 1, top: (height - crop) >> 1, width: crop, height: crop });
    }
    if (resize !== undefined) image.resize(resize, resize, { fit: "fill" });
    const { data, info } = await image
      .toColourspace(space)
      .raw({ depth: bits === 8 ? "uchar" : "ushort" })
      .toBuffer({ resolveWithObject: true });
    const pixels =
      bits === 8
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer);
    return { pixels, width: info.width, height: info.height, bands: info.channels };
  } catch (cause) {
    throw cause instanceof PlatestreamError ? cause : unreadable(path, cause);
  }
};

/** Writes a single-channel image; the file's ending chooses PNG or TIFF, the array's type 8 or 16 bit. */
export const writeGreyImage = async (
  path: string,
  pixels: Uint8Array | Uint16Array,
  width: number,
  height: number,
): Promise<void> => {
  const space = pixels instanceof Uint8Array ? "b-w" : "grey16";
  const image = sharp(pixels, { raw: { width, height, channels: 1 } }).toColourspace(space);
  // Noise does not compress: the fastest level costs 1 % of size here and a third of the time.
  await (path.endsWith(".png") ? image.png({ compressionLevel: 1 }) : image.tiff({ compression: "deflate" })).toFile(
    path,
  );
};
