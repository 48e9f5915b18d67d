/** Writes groups and arrays of Zarr 2, which OME-Zarr 0.4 stands on: what every viewer of OME-Zarr opens. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflate } from "node:zlib";

const pack = promisify(deflate);

/** One plane per chunk, row-major [height, width]. */
export interface Planes {
  readonly planes: readonly (Uint8Array | Uint16Array)[];
  readonly height: number;
  readonly width: number;
}

export const writeGroup = async (folder: string, attributes: object): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, ".zgroup"), json({ zarr_format: 2 }));
  await writeFile(join(folder, ".zattrs"), json(attributes));
};

/** An array [planes, height, width]; with `flat`, of one plane, [height, width]. */
export const writeArray = async (folder: string, { planes, height, width }: Planes, flat = false): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const array = {
    zarr_format: 2,
    shape: flat ? [height, width] : [planes.length, height, width],
    chunks: flat ? [height, width] : [1, height, width],
    dtype: planes[0] instanceof Uint8Array ? "|u1" : "<u2",
    compressor: { id: "zlib", level: 1 },
    fill_value: 0,
    order: "C",
    filters: null,
    dimension_separator: "/",
  };
  await writeFile(join(folder, ".zarray"), json(array));
  for (const [c, { buffer, byteOffset, byteLength }] of planes.entries()) {
    const chunk = flat ? ["0", "0"] : [String(c), "0", "0"];
    await mkdir(join(folder, ...chunk.slice(0, -1)), { recursive: true });
    await writeFile(join(folder, ...chunk), await pack(new Uint8Array(buffer, byteOffset, byteLength), { level: 1 }));
  }
};

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
