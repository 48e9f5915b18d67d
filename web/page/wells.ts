/** Where a well lies on its plate, and which format the plate has. */

export interface Position {
  readonly row: number;
  readonly column: number;
}

/** `B03` is row 1, column 2; `AA01` row 26. Undefined: it is named another way. */
export const positionOf = (well: string): Position | undefined => {
  const [, letters, digits] = /^([A-Z]{1,2})(\d{1,2})$/.exec(well) ?? [];
  if (letters === undefined) return undefined;
  const row = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
  return { row, column: Number(digits) - 1 };
};

export const rowName = (row: number): string =>
  row < 26 ? String.fromCharCode(65 + row) : `${rowName(Math.floor(row / 26) - 1)}${rowName(row % 26)}`;

export const wellName = ({ row, column }: Position): string => `${rowName(row)}${String(column + 1).padStart(2, "0")}`;

/** Rows and columns of the plates that are sold. */
const formats = [
  [2, 3],
  [3, 4],
  [4, 6],
  [6, 8],
  [8, 12],
  [16, 24],
  [32, 48],
] as const;

/** The smallest format that has all of the wells. */
export const formatOf = (positions: readonly Position[]): readonly [rows: number, columns: number] => {
  const rows = positions.reduce((most, { row }) => Math.max(most, row + 1), 1);
  const columns = positions.reduce((most, { column }) => Math.max(most, column + 1), 1);
  return formats.find(([r, c]) => r >= rows && c >= columns) ?? [rows, columns];
};

/** Rows to draw: all, or those that hold wells and one around them where more than half of the plate is empty. */
export const shownRows = (positions: readonly Position[], rows: number): readonly [first: number, last: number] => {
  const used = positions.map(({ row }) => row);
  const first = Math.max(0, Math.min(...used) - 1);
  const last = Math.min(rows - 1, Math.max(...used) + 1);
  return used.length > 0 && last - first + 1 < rows / 2 ? [first, last] : [0, rows - 1];
};
