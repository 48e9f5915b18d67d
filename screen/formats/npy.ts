/** NumPy's .npy of one two-dimensional array (NEP 1), as illumination functions are kept. */
import { unreadable } from "../unreadable.ts";

export interface NpyArray {
  /** Row-major [height, width]. */
  readonly values: Float64Array;
  readonly height: number;
  readonly width: number;
}

export const parseNpy = (file: Uint8Array): NpyArray => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 12 || String.fromCharCode(...file.subarray(1, 6)) !== "NUMPY")
    throw unreadable("is not a NumPy array (.npy)");
  const wide = file[6]! >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(file.subarray(start, end));
  const type = /'descr':\s*'([<>|=]?)(f4|f8|u1|u2)'/.exec(header);
  const shape = /'shape':\s*\((\d+),\s*(\d+),?\s*\)/.exec(header);
  if (type === null || shape === null)
    throw unreadable(`expected a two-dimensional array of f4, f8, u1 or u2, got ${header.trim()}`);
  const [height, width] = [Number(shape[1]), Number(shape[2])];
  const little = type[1] !== ">";
  const size = Number(type[2]![1]);
  if (end + height * width * size !== file.length) throw unreadable("the file is truncated or damaged");
  const read = {
    f4: (at: number) => view.getFloat32(at, little),
    f8: (at: number) => view.getFloat64(at, little),
    u1: (at: number) => view.getUint8(at),
    u2: (at: number) => view.getUint16(at, little),
  }[type[2] as "f4" | "f8" | "u1" | "u2"];
  const byColumns = /'fortran_order':\s*True/.test(header);
  const values = Float64Array.from({ length: height * width }, (_, i) => {
    const stored = byColumns ? (i % width) * height + Math.floor(i / width) : i;
    return read(end + stored * size);
  });
  return { values, height, width };
};
