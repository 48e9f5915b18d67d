/** Reads tables by the names of their columns, and says at which file, line and column something is wrong. */
import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { PlatestreamError } from "../common/errors.ts";

export interface Row {
  /** Line of the file, counted from 1. */
  readonly line: number;
  /** Text of a column without the spaces around it; empty where the row or the table has none. */
  get(column: string): string;
}

export interface Table {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** Columns may stand in any order; byte order marks, CRLF, blank lines and short rows are all right. */
export const readTable = async (path: string): Promise<Table> => {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new PlatestreamError("invalid-data", `${path} cannot be read: ${cause.message}`, { cause });
  });
  const [header, ...records] = parseCsv(path, text);
  if (header === undefined) throw new PlatestreamError("invalid-data", `${path} is empty; it must start with a header`);
  const columns = header.record;
  const position = new Map(columns.map((name, index) => [name, index]));
  const rows = records.map(({ record, info }) => ({
    line: info.lines,
    get: (column: string) => record[position.get(column) ?? -1] ?? "",
  }));
  return { path, columns, rows };
};

interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

const parseCsv = (path: string, text: string): ParsedRecord[] => {
  try {
    const options = { bom: true, trim: true, info: true, skip_empty_lines: true, relax_column_count: true } as const;
    return parse(text, options) as unknown as ParsedRecord[];
  } catch (cause) {
    throw new PlatestreamError("invalid-data", `${path} is not a CSV table: ${(cause as Error).message}`, { cause });
  }
};

/** Gathers everything that is wrong with the tables of a dataset, so that a person sees all of it at once. */
export interface Problems {
  readonly found: readonly string[];
  add(problem: string): void;
  addField(table: Table, row: Row, column: string, expected: string): void;
}

export const gatherProblems = (): Problems => {
  const found: string[] = [];
  return {
    found,
    add: (problem) => void found.push(problem),
    addField: (table, row, column, expected) =>
      void found.push(`${table.path}:${row.line}, column ${column}: ${expected}, got "${row.get(column)}"`),
  };
};

/** A table without the columns has no rows that can be read: false, and a problem. */
export const hasColumns = (table: Table, columns: readonly string[], problems: Problems): boolean => {
  const missing = columns.filter((column) => !table.columns.includes(column));
  if (missing.length === 0) return true;
  problems.add(
    `${table.path}:1: expected the columns ${columns.join(", ")}; ${missing.join(", ")} missing in the header "${table.columns.join(",")}"`,
  );
  return false;
};
