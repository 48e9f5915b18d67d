/** LZW as TIFF has it: codes of 9 to 12 bits, most significant bit first, one bit wider one code early. */
import { unreadable } from "../../unreadable.ts";

const clear = 256;
const end = 257;

/** @throws PlatestreamError `unreadable-image` unless `packed` gives exactly `size` bytes */
export const decodeLzw = (packed: Uint8Array, size: number): Uint8Array => {
  if (packed[0] === 0 && (packed[1]! & 1) === 1)
    throw unreadable("compressed with the LZW of before 1988, which is not read");
  const unpacked = new Uint8Array(size);
  // Every string of the table is one that was written before: where it starts and how long it is.
  const starts = new Uint32Array(4096);
  const lengths = new Uint16Array(4096);
  let [from, held, bits, width] = [0, 0, 0, 9];
  let [to, next, lastStart, lastLength] = [0, 258, 0, 0];
  for (;;) {
    while (bits < width) {
      if (from >= packed.length) {
        if (to === size) return unpacked; // some writers leave the end code out
        throw damaged();
      }
      held = ((held << 8) | packed[from++]!) & 0xffffff;
      bits += 8;
    }
    bits -= width;
    const code = (held >>> bits) & ((1 << width) - 1);
    if (code === end) break;
    if (code === clear) {
      width = 9;
      next = 258;
      lastLength = 0;
      continue;
    }
    const start = to;
    if (code < clear) {
      if (to >= size) throw damaged();
      unpacked[to++] = code;
    } else {
      // A code that is not in the table yet is the last string and its own first byte.
      if (lastLength === 0 || code > next || (code === next && next > 4095)) throw damaged();
      const source = code === next ? lastStart : starts[code]!;
      const length = code === next ? lastLength + 1 : lengths[code]!;
      if (to + length > size) throw damaged();
      for (let i = 0; i < length; i++) unpacked[to + i] = unpacked[source + i]!;
      to += length;
    }
    if (lastLength > 0 && next < 4096) {
      starts[next] = lastStart;
      lengths[next] = lastLength + 1;
      next += 1;
      if (next === 511 || next === 1023 || next === 2047) width += 1;
    }
    lastStart = start;
    lastLength = to - start;
  }
  if (to !== size) throw damaged();
  return unpacked;
};

const damaged = () => unreadable("the file is truncated or damaged: a block of pixels cannot be unpacked (LZW)");
