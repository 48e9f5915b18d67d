/** Which numbers of a file become pixels of 8 or 16 bit, unchanged. */
import { unreadable } from "../unreadable.ts";
import type { ValueRange } from "../value-range.ts";

export type SampleValues =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array;

export type Pixels = Uint8Array | Uint16Array;

/** What all values of a file are like, whatever stands in it: images of one kind must get one type. */
export const pixelBits = (bits: number, format: "unsigned" | "signed" | "float"): 8 | 16 =>
  format !== "float" && bits <= 8 ? 8 : 16;

const most = { 8: 255, 16: 65535 } as const;

/**
 * Numbers as pixels, without a change: whole numbers from 0 to 65535 (255 where the file has no more than 8 bits). Signed,
 * 32-bit and float values are first mapped by `range`, where one is given, and then rounded.
 *
 * @throws PlatestreamError `unreadable-image` where a value does not fit
 */
export const toPixels = (values: SampleValues, bits: 8 | 16, range?: ValueRange): Pixels => {
  if (values instanceof Uint8Array) return values;
  if (values instanceof Uint16Array) return values;
  const pixels = new (bits === 8 ? Uint8Array : Uint16Array)(values.length);
  const high = most[bits];
  const [low, factor] = range === undefined ? [0, 1] : [range[0], high / (range[1] - range[0])];
  for (let i = 0; i < values.length; i++) {
    const mapped = (values[i]! - low) * factor;
    const pixel = range === undefined ? mapped : Math.round(mapped);
    if (!(pixel >= 0 && pixel <= high && Number.isInteger(pixel))) throw doesNotFit(values, values[i]!, high, range);
    pixels[i] = pixel;
  }
  return pixels;
};

const doesNotFit = (values: SampleValues, value: number, high: number, range: ValueRange | undefined) => {
  const kind = values instanceof Float32Array || values instanceof Float64Array ? "float" : "signed or 32-bit";
  if (range !== undefined)
    return unreadable(
      `a ${kind} image with the value ${value}, outside of the stated range ${range[0]} to ${range[1]}`,
    );
  return unreadable(
    `a ${kind} image with the value ${value}; without a stated range only whole numbers from 0 to ${high} are read ` +
      "unchanged: state it (decode.range: [low, high]) or save the image with 16 bit unsigned",
  );
};
