/** Names in tables that look like slips: told as notes, never changed. */
import type { Table } from "./csv-table.ts";
import { isAbsent, parseName, parseWellType } from "./fields.ts";
import type { RoleColumns } from "./find-roles.ts";
import type { Opening } from "./opening.ts";

/** `2-Sep` was SEPT2, `1.23457E+11` a barcode. */
const bySpreadsheet = /^(?:\d{1,2}-(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|\d(?:\.\d+)?E\+\d{2})$/i;

export const noteOddNames = (table: Table, roles: RoleColumns, { note }: Pick<Opening, "note">): void => {
  for (const role of ["plate", "class"] as const) {
    const column = roles.get(role);
    const names = (column === undefined ? undefined : table.distinct(column))?.filter((name) => !isAbsent(name));
    if (column === undefined || names === undefined) continue;
    const mangled = names.find((name) => bySpreadsheet.test(name));
    if (mangled !== undefined)
      note(
        `${table.path}: ${column} has "${mangled}", as spreadsheets write what was another name; look at the original`,
      );
    const alike = namesAlike(names);
    if (alike !== undefined)
      note(`${table.path}: ${column} has "${alike.join('" and "')}", which are told apart; are they one ${role}?`);
  }
  const column = roles.get("class");
  if (column === undefined || roles.has("well-type")) return;
  const control = table.distinct(column)?.find((name) => parseWellType(name) === "negative_control");
  if (control !== undefined)
    note(
      `${table.path}: no column says which wells are controls, so "${control}" of ${column} is a treatment like others`,
    );
};

/** Two names that differ by case, by spaces or by letters that look the same, as the two signs for micro. */
const namesAlike = (names: readonly string[]): readonly [string, string] | undefined => {
  const seen = new Map<string, string>();
  for (const name of names) {
    const plain = name.normalize("NFKC").toLowerCase().replaceAll(/\s/g, "");
    const before = seen.get(plain);
    if (before !== undefined && parseName(before) !== parseName(name)) return [before, name];
    seen.set(plain, name);
  }
  return undefined;
};
