/** Where a well is found when its plate was turned, or filled a row or a column off. */

/** Rows and columns of the plates that are made, smallest first. */
const formats = [
  [2, 3],
  [4, 6],
  [8, 12],
  [16, 24],
  [32, 48],
] as const;

interface Place {
  readonly row: number;
  readonly column: number;
}

const placeOf = (well: string): Place | undefined => {
  const [, letters, digits] = /^([A-Z]+)(\d+)$/.exec(well) ?? [];
  if (letters === undefined) return undefined;
  const row = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
  return { row, column: Number(digits) - 1 };
};

const nameOf = ({ row, column }: Place): string => {
  const letter = (at: number) => String.fromCharCode(65 + at);
  const letters = row < 26 ? letter(row) : letter(Math.floor(row / 26) - 1) + letter(row % 26);
  return `${letters}${String(column + 1).padStart(2, "0")}`;
};

export interface Move {
  /** Completes "the plate looks …". */
  readonly words: string;
  /** The well whose label belongs to what is seen in this one; undefined: none. */
  readonly source: (well: string) => string | undefined;
}

/** Turned by 180 degrees, and shifted by a row or a column, on the smallest plate that has all of the wells. */
export const movesOf = (wells: readonly string[]): Move[] => {
  const places = wells.flatMap((well) => placeOf(well) ?? []);
  const [rows, columns] = formats.find(([r, c]) => places.every(({ row, column }) => row < r && column < c)) ?? [
    32, 48,
  ];
  const move = (words: string, to: (place: Place) => Place): Move => ({
    words,
    source(well) {
      const place = placeOf(well);
      return place === undefined ? undefined : nameOf(to(place));
    },
  });
  const shift = (words: string, down: number, right: number) =>
    move(words, ({ row, column }) => ({ row: row - down, column: column - right }));
  return [
    move("turned by 180 degrees", ({ row, column }) => ({ row: rows - 1 - row, column: columns - 1 - column })),
    shift("filled one row too low", 1, 0),
    shift("filled one row too high", -1, 0),
    shift("filled one column too far right", 0, 1),
    shift("filled one column too far left", 0, -1),
  ];
};
