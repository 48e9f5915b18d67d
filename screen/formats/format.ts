/** A file format of images: what a new one has to bring. The list of them is in formats.ts. */
import type { PlaneAddress } from "../image-source.ts";
import type { Bytes } from "../stores/bytes.ts";
import type { ValueRange } from "../value-range.ts";
import type { Pixels } from "./pixel-values.ts";

export interface ImageFormat {
  readonly name: string;
  /** Whether a file that begins with these bytes (16, fewer in a shorter file) is of this format. */
  recognises(head: Uint8Array): boolean;
  open(bytes: Bytes): Promise<ImageFile>;
}

/** What can be asked of an open file; addresses that are not in it are refused in words. */
export interface ImageFile {
  header(address: PlaneAddress): Promise<ImageHeader>;
  /** The planes in the order of the addresses. What they share is decoded once. */
  read(addresses: readonly PlaneAddress[], range?: ValueRange): Promise<Plane[]>;
}

export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  /** Bits of a pixel once it is read: files of fewer than 8 or of 9 to 15 bits keep their values. */
  readonly bits: 8 | 16;
}

/** One channel of one image, row-major [height, width]. */
export interface Plane {
  readonly pixels: Pixels;
  readonly width: number;
  readonly height: number;
}
