/** Writes the metadata of a plate of OME-Zarr 0.4 (HCS) and of its wells; the images are written by themselves. */
import { join } from "node:path";
import { writeGroup } from "./write-arrays.ts";

const version = "0.4";

export interface WrittenWell {
  /** Row letters and a two-digit column, as in "B03". */
  readonly well: string;
  /** Number of its images, which are named "0", "1", …; at least 1. */
  readonly fields: number;
  /** Anything that is to be kept beside what OME-Zarr says of a well. */
  readonly about: object;
}

/** Folder of a well below that of its plate: `B/03`. */
export const wellFolder = (plate: string, well: string): string => join(plate, ...partsOf(well));

export const writePlate = async (folder: string, name: string, wells: readonly WrittenWell[]): Promise<void> => {
  const rows = unique(wells.map(({ well }) => partsOf(well)[0]));
  const columns = unique(wells.map(({ well }) => partsOf(well)[1]));
  for (const row of rows) await writeGroup(join(folder, row), {});
  for (const { well, fields, about } of wells)
    await writeGroup(wellFolder(folder, well), {
      well: {
        version,
        images: Array.from({ length: fields }, (_, field) => ({ path: String(field), acquisition: 0 })),
      },
      platestream: about,
    });
  await writeGroup(folder, {
    plate: {
      version,
      name,
      field_count: Math.max(...wells.map(({ fields }) => fields)),
      acquisitions: [{ id: 0 }],
      rows: rows.map((row) => ({ name: row })),
      columns: columns.map((column) => ({ name: column })),
      wells: wells.map(({ well }) => {
        const [row, column] = partsOf(well);
        return { path: `${row}/${column}`, rowIndex: rows.indexOf(row), columnIndex: columns.indexOf(column) };
      }),
    },
  });
};

const partsOf = (well: string): readonly [row: string, column: string] => {
  const digits = well.search(/\d/);
  return [well.slice(0, digits), well.slice(digits)];
};

/** Rows A to Z come before AA. */
const unique = (names: readonly string[]): string[] =>
  [...new Set(names)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
