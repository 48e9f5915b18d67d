/** What is wrong with the tables of a dataset: gathered, so that a person sees all of it at once, and grouped by kind. */

export interface Problem {
  /** File, with the line where one is meant. */
  readonly place: string;
  /** Column of the table, where one is meant. */
  readonly column?: string;
  /** The rule that is broken; problems with the same rule and column are of one kind. */
  readonly rule: string;
  /** What is particular about this one. */
  readonly detail?: string;
}

/** What a table says about its rows. */
interface Rows {
  place(row: number): string;
  get(row: number, column: string): string;
}

export interface Problems {
  readonly found: readonly Problem[];
  add(problem: Problem): void;
  /** A field that breaks a rule. */
  addField(table: Rows, row: number, column: string, rule: string, detail?: string): void;
}

export const gatherProblems = (): Problems => {
  const found: Problem[] = [];
  const add = (problem: Problem) => void found.push(problem);
  return {
    found,
    add,
    addField: (table, row, column, rule, detail = "") =>
      add({ place: table.place(row), column, rule, detail: `${detail}, got "${table.get(row, column)}"` }),
  };
};

export const sentenceOf = ({ place, column, rule, detail = "" }: Problem): string =>
  `${place}${column === undefined ? "" : `, column ${column}`}: ${rule}${detail}`;

export const kindOf = ({ column = "", rule }: Problem): string => `${column}: ${rule}`;

/** How many of one kind are shown unless all are asked for. */
export const shownOfAKind = 5;

/** One line per problem, kind after kind; of a kind with more than `most`, the first ones and how many more there are. */
export const listByKind = <T>(
  items: readonly T[],
  kind: (item: T) => string,
  sentence: (item: T) => string,
  most = shownOfAKind,
): string[] => {
  const kinds = new Map<string, T[]>();
  for (const item of items) {
    const known = kinds.get(kind(item));
    if (known === undefined) kinds.set(kind(item), [item]);
    else known.push(item);
  }
  return [...kinds.values()].flatMap((same) => {
    const rest = same.length - most;
    const shown = same.slice(0, most).map(sentence);
    return rest > 0 ? [...shown, `… and ${rest.toLocaleString("en")} more of this kind`] : shown;
  });
};
