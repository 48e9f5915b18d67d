/** Which column of a table is what: recognised by its name, or chosen by the user. */
import type { Table } from "./csv-table.ts";
import { isAbsent } from "./fields.ts";
import type { Opening } from "./opening.ts";
import { plainName, type Role, type RoleNames, roles } from "./roles.ts";

/** Column of each role that the table has. */
export type RoleColumns = ReadonlyMap<Role, string>;

/** A column that the user names and the table lacks, and two columns that could be the same role, are problems. */
export const findRoles = (table: Table, names: RoleNames, opening: Opening): RoleColumns => {
  const found = new Map<Role, string>();
  for (const role of roles) {
    const chosen = opening.columns.roles.get(role);
    const column = chosen === undefined ? recognise(table, role, names[role], opening) : findColumn(table, chosen);
    if (column !== undefined) found.set(role, column);
    else if (chosen !== undefined) {
      opening.problems.add({
        place: `${table.path}:1`,
        rule: `--column ${role}=${chosen} names no column`,
        detail: `; the header has ${table.columns.join(", ")}`,
      });
    }
  }
  return found;
};

/** As it is spelt, or else without regard to case and prefixes. */
export const findColumn = (table: Table, name: string): string | undefined =>
  table.columns.find((column) => column === name) ??
  table.columns.find((column) => plainName(column) === plainName(name) && plainName(name) !== "");

const recognise = (table: Table, role: Role, names: readonly string[], opening: Opening): string | undefined => {
  const candidates = names.flatMap((name) => {
    const same = table.columns.filter((column) => plainName(column) === name);
    const exact = same.filter((column) => /^metadata_/i.test(column));
    if (same.length < 2 || exact.length === 1) return exact[0] ?? same[0] ?? [];
    opening.problems.add({
      place: `${table.path}:1`,
      rule: `several columns could be the ${role}: ${[...new Set(same)].join(", ")}`,
      detail: `; say which with --column ${role}=NAME`,
    });
    return [];
  });
  if (role !== "class" || candidates.length < 2) return candidates[0];
  const informative = candidates.find((column) => !isConstant(table, column)) ?? candidates[0]!;
  for (const column of candidates.slice(0, candidates.indexOf(informative))) {
    opening.note(`${table.path}: ${column} is the same in all rows, so the class is taken from ${informative}`);
  }
  return informative;
};

const isConstant = (table: Table, column: string): boolean => {
  const texts = table.distinct(column)?.filter((text) => !isAbsent(text));
  return texts !== undefined && texts.length < 2;
};
