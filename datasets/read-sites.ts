/** Turns rows of a table into sites, by the roles of its columns. */
import type { WellType } from "../screen/experiment.ts";
import type { Table } from "./csv-table.ts";
import type { SiteAddress } from "./dataset.ts";
import {
  isAbsent,
  namesOfWellTypes,
  parseName,
  parseRow,
  parseSite,
  parseWell,
  parseWellType,
  parseWhole,
  wellAt,
} from "./fields.ts";
import { findRoles, type RoleColumns } from "./find-roles.ts";
import { noteOddNames } from "./odd-names.ts";
import type { Opening } from "./opening.ts";
import { plainName, type Role, type RoleNames } from "./roles.ts";
import { compileWhere } from "./where.ts";

export interface RowRules {
  readonly names: RoleNames;
  /** Roles that must have a column. */
  readonly needed: readonly Role[];
  /** Stand in where no column says them. */
  readonly experiment?: string;
  readonly plate?: string;
  readonly cellType: (experiment: string) => string;
  /** Plates are numbered rather than named. */
  readonly numberedPlates?: boolean;
  /** Classes are numbered where most of them are. */
  readonly numberedClasses?: boolean;
  /** Tables with a row per well have no sites; every well has these. */
  readonly wellType?: WellType;
}

export interface ReadRow {
  readonly row: number;
  readonly site: SiteAddress;
  /** Plane of a stack, where the table has several rows per site. */
  readonly plane?: string;
}

export interface SiteTable {
  readonly roles: RoleColumns;
  /** Columns without a role: metadata. The class stays among it. */
  readonly others: readonly string[];
  /** Whether `--where` keeps a row. */
  wanted(row: number): boolean;
  /** The rows that are wanted and can be read; a generator, so that many rows need no memory. Reports problems on the way: to be gone through once. */
  rows(): Iterable<ReadRow>;
}

/** Undefined, and problems, where needed columns are missing. */
export const openSiteTable = (table: Table, rules: RowRules, opening: Opening): SiteTable | undefined => {
  const roles = findRoles(table, rules.names, opening);
  const wells = roles.has("row") && roles.has("column") && !roles.has("well");
  const missing = rules.needed.filter((role) => !roles.has(role) && !(role === "well" && wells));
  if (missing.length > 0) {
    opening.problems.add({
      place: `${table.path}:1`,
      rule: `expected columns for ${rules.needed.join(", ")}; none found for ${missing.join(", ")}`,
      detail: ` in the header "${table.columns.join(",")}"; name them with --column ${missing[0]}=NAME`,
    });
    return undefined;
  }
  const wellTypeColumns = opening.columns.roles.has("well-type")
    ? [roles.get("well-type")!]
    : rules.names["well-type"].flatMap((name) => table.columns.filter((column) => plainName(column) === name));
  for (const [role, column] of roles) if (role !== "plane" && role !== "time") opening.took(role, `column ${column}`);
  if (wells) opening.took("well", `columns ${roles.get("row")} and ${roles.get("column")}`);
  const used = new Set([
    ...wellTypeColumns,
    ...[...roles].flatMap(([role, column]) => (role === "class" ? [] : [column])),
  ]);
  noteOddNames(table, roles, opening);
  const wanted = opening.where === undefined ? () => true : compileWhere(opening.where, table);
  return {
    roles,
    others: table.columns.filter((column) => column !== "" && !used.has(column)),
    wanted,
    rows: () => readRows(table, roles, { wellTypeColumns, wanted, ...rules }, opening),
  };
};

function* readRows(
  table: Table,
  roles: RoleColumns,
  rules: RowRules & { readonly wellTypeColumns: readonly string[]; readonly wanted: (row: number) => boolean },
  opening: Opening,
): Generator<ReadRow> {
  const { problems } = opening;
  const { wellTypeColumns, wanted } = rules;
  const isClass = classRule(table, roles.get("class"), rules);
  const field = (role: Role, row: number) => {
    const column = roles.get(role);
    return column === undefined ? undefined : { column, text: table.get(row, column) };
  };
  const wellOf = (row: number): string | undefined => {
    const named = field("well", row);
    const well =
      named === undefined
        ? wellAt(parseRow(field("row", row)!.text) ?? 0, parseWhole(field("column", row)!.text) ?? 0)
        : parseWell(named.text);
    const column = named?.column ?? roles.get("row")!;
    if (well === undefined) problems.addField(table, row, column, "expected a well from A01 to AF48");
    return well;
  };
  const plateOf = (row: number): string | undefined => {
    const named = field("plate", row);
    if (named === undefined) return rules.plate;
    const { column, text } = named;
    if (!rules.numberedPlates) {
      if (isAbsent(text)) problems.addField(table, row, column, "expected a value");
      return parseName(text);
    }
    const plate = parseWhole(text);
    if (plate === undefined) problems.addField(table, row, column, "expected a whole number from 0");
    return plate === undefined ? undefined : String(plate);
  };
  const siteOf = (row: number): number | undefined => {
    const named = field("site", row);
    const site = named === undefined ? 1 : parseSite(named.text);
    if (site === undefined) problems.addField(table, row, named!.column, "expected the number of a site");
    return site;
  };
  const experimentOf = (row: number): string | undefined => {
    const named = field("experiment", row);
    if (named === undefined) return rules.experiment;
    if (isAbsent(named.text)) problems.addField(table, row, named.column, "expected a value");
    return isAbsent(named.text) ? undefined : named.text;
  };
  const wellTypeOf = (row: number): WellType | undefined => {
    if (rules.wellType !== undefined) return rules.wellType;
    // `pert_type` says "control" where `control_type` says which: the first column that is filled in counts.
    const column = wellTypeColumns.find((each) => !isAbsent(table.get(row, each)));
    if (column === undefined) return "treatment";
    const wellType = parseWellType(table.get(row, column));
    if (wellType === undefined) problems.addField(table, row, column, `expected one of ${namesOfWellTypes}`);
    return wellType;
  };
  const classOf = (row: number): string | undefined => {
    const named = field("class", row);
    if (named === undefined) return undefined;
    const treatment = parseName(named.text);
    if (treatment === undefined || isClass(named.text)) return treatment;
    problems.addField(table, row, named.column, "expected the number of a class");
    return undefined;
  };
  for (let row = 0; row < table.rows; row++) {
    if (!wanted(row)) continue;
    const [experiment, plate, well, site] = [experimentOf(row), plateOf(row), wellOf(row), siteOf(row)];
    const wellType = wellTypeOf(row);
    const treatment = classOf(row);
    if (experiment === undefined || plate === undefined || well === undefined) continue;
    if (site === undefined || wellType === undefined) continue;
    const text = field("cell-type", row)?.text ?? "";
    const cellType = isAbsent(text) ? rules.cellType(experiment) : text;
    const plane = field("plane", row)?.text;
    yield {
      row,
      site: { experiment, cellType, plate, well, site, wellType, ...(treatment === undefined ? {} : { treatment }) },
      ...(plane === undefined ? {} : { plane }),
    };
  }
}

/** Among numbers a word is a slip, and a number that is not whole is one anywhere. */
const classRule = (table: Table, column: string | undefined, rules: RowRules): ((text: string) => boolean) => {
  if (column === undefined || !rules.numberedClasses) return () => true;
  let numbers = 0;
  let words = 0;
  for (let row = 0; row < table.rows; row++) {
    const text = table.get(row, column);
    if (parseWhole(text) !== undefined) numbers += 1;
    else if (!isAbsent(text)) words += 1;
  }
  return (text) =>
    parseWhole(text) !== undefined ||
    (Number.isNaN(Number(text)) && (words > numbers || parseWellType(text) !== undefined));
};
