/** What the columns of every layout have in common: wells, sites, classes and kinds of wells. */
import type { WellType } from "../screen/experiment.ts";
import type { Problems, Row, Table } from "./csv.ts";

/** Reads the columns of one row; what does not parse goes to the problems and gives undefined. */
export interface RowReader {
  text(column: string): string | undefined;
  /** `B3`, `b03` and `B03` are the same well. */
  well(column: string): string | undefined;
  number(column: string, least: number): number | undefined;
  /** A class number, also one that pandas wrote as `513.0`; undefined without a problem where there is none. */
  label(column: string): string | undefined;
  wellType(column: string): WellType | undefined;
}

/** 1536-well plates have rows A to AF and columns 1 to 48. */
const wellPattern = /^(?:[A-Z]|A[A-F])(?:0?[1-9]|[1-3]\d|4[0-8])$/;
const wellTypes: readonly string[] = ["treatment", "positive_control", "negative_control"];
const absent = ["", "nan", "none", "na"];

const parseWell = (text: string): string | undefined => {
  const name = text.toUpperCase();
  if (!wellPattern.test(name)) return undefined;
  const letters = name.replace(/\d+$/, "");
  return `${letters}${name.slice(letters.length).padStart(2, "0")}`;
};

export const rowReader = (table: Table, row: Row, problems: Problems): RowReader => {
  const bad = (column: string, expected: string): undefined => void problems.addField(table, row, column, expected);
  return {
    text: (column) => row.get(column) || bad(column, "expected a value"),
    well: (column) => parseWell(row.get(column)) ?? bad(column, "expected a well from A01 to AF48"),
    number(column, least) {
      const value = Number(row.get(column) || Number.NaN);
      return Number.isInteger(value) && value >= least ? value : bad(column, `expected a whole number from ${least}`);
    },
    label(column) {
      const text = row.get(column);
      if (absent.includes(text.toLowerCase())) return undefined;
      const value = Number(text);
      return Number.isInteger(value) && value >= 0 ? String(value) : bad(column, "expected the number of a class");
    },
    wellType(column) {
      const text = row.get(column).toLowerCase();
      return wellTypes.includes(text) ? (text as WellType) : bad(column, `expected one of ${wellTypes.join(", ")}`);
    },
  };
};

/** Tells the first row of a site from further ones, which are problems; over all tables of a dataset. */
export const duplicateFinder = (problems: Problems) => {
  const seen = new Map<string, string>();
  return (table: Table, row: Row, column: string, key: readonly (string | number)[]): boolean => {
    const name = key.join("/");
    const first = seen.get(name);
    if (first === undefined) seen.set(name, `${table.path}:${row.line}`);
    else problems.addField(table, row, column, `expected each site once, but ${name} stands in ${first} already`);
    return first === undefined;
  };
};

/** `HUVEC-01` is an experiment on HUVEC cells. */
export const cellTypeOfName = (experiment: string): string => experiment.replace(/-\d+$/, "");
