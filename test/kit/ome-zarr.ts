/** Writes small OME-Zarr plates, 0.4 (Zarr 2) or 0.5 (Zarr 3): as files by name, for a disk or a store. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";

export interface PlateOptions {
  readonly version: "0.4" | "0.5";
  /** Paths of wells, as in `B/03`. */
  readonly wells: readonly string[];
  readonly fields?: number;
  readonly channels: readonly string[];
  readonly z?: number;
  /** Chunks are `side` / 2. */
  readonly side: number;
  /** Level 1 holds every second pixel. */
  readonly levels?: number;
  readonly pixel: (at: { well: number; field: number; c: number; z: number; y: number; x: number }) => number;
}

export const writeFiles = async (folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> => {
  for (const [name, content] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
};

export const omeZarrPlate = (options: PlateOptions): Map<string, Uint8Array> => {
  const { version, wells, fields = 1, channels, z: depth = 1, side, levels = 1, pixel } = options;
  const files = new Map<string, Uint8Array>();
  const json = (path: string, value: unknown) => files.set(path, Buffer.from(JSON.stringify(value)));
  const group = (path: string, attributes: object) => {
    const at = path === "" ? "" : `${path}/`;
    if (version === "0.4") {
      json(`${at}.zgroup`, { zarr_format: 2 });
      json(`${at}.zattrs`, attributes);
    } else
      json(`${at}zarr.json`, { zarr_format: 3, node_type: "group", attributes: { ome: { version, ...attributes } } });
  };
  group("", { plate: { name: "P1", wells: wells.map((path) => ({ path })) } });
  for (const [w, well] of wells.entries()) {
    group(well, { well: { images: Array.from({ length: fields }, (_, field) => ({ path: String(field) })) } });
    for (let field = 0; field < fields; field++) {
      const image = `${well}/${field}`;
      group(image, {
        multiscales: [
          {
            axes: ["c", "z", "y", "x"].map((name) => ({ name })),
            datasets: Array.from({ length: levels }, (_, level) => ({ path: String(level) })),
          },
        ],
        omero: { channels: channels.map((label) => ({ label })) },
      });
      for (let level = 0; level < levels; level++) {
        const step = 2 ** level;
        const size = side / step;
        const chunk = size / 2;
        const [shape, chunks] = [
          [channels.length, depth, size, size],
          [1, 1, chunk, chunk],
        ];
        if (version === "0.4")
          json(`${image}/${level}/.zarray`, {
            ...{ zarr_format: 2, shape, chunks, dtype: "<u2", compressor: { id: "zlib", level: 1 } },
            ...{ fill_value: 0, order: "C", filters: null, dimension_separator: "/" },
          });
        else
          json(`${image}/${level}/zarr.json`, {
            ...{ zarr_format: 3, node_type: "array", shape, data_type: "uint16", fill_value: 0, attributes: {} },
            chunk_grid: { name: "regular", configuration: { chunk_shape: chunks } },
            chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
            codecs: [
              { name: "bytes", configuration: { endian: "little" } },
              { name: "gzip", configuration: { level: 1 } },
            ],
          });
        for (let c = 0; c < channels.length; c++)
          for (let z = 0; z < depth; z++)
            for (const [row, column] of [
              [0, 0],
              [0, 1],
              [1, 0],
              [1, 1],
            ] as const) {
              const values = Uint16Array.from({ length: chunk * chunk }, (_, i) => {
                const [y, x] = [row * chunk + Math.floor(i / chunk), column * chunk + (i % chunk)];
                return pixel({ well: w, field, c, z, y: y * step, x: x * step });
              });
              const bytes = new Uint8Array(values.buffer);
              const key = `${c}/${z}/${row}/${column}`;
              if (version === "0.4") files.set(`${image}/${level}/${key}`, deflateSync(bytes));
              else files.set(`${image}/${level}/c/${key}`, gzipSync(bytes));
            }
      }
    }
  }
  return files;
};
