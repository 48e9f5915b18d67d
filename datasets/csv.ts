/** Reads tables by the names of their columns, and says at which file, line and column something is wrong. */
import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { listProblems, PlatestreamError } from "../pipeline/plugin.ts";

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

/** Gathers everything that is wrong with some tables, so that a person sees all of it at once. */
export interface Problems {
  add(table: Table, row: Row, column: string, expected: string): void;
  /** @throws PlatestreamError `invalid-data` when there were any and nobody wants to go on without the bad rows */
  throwIfAny(): void;
}

/** Where problems are wanted as a list, rows without any are read and the others left out. */
export type OnProblems = (problems: readonly string[]) => void;

export const gatherProblems = (path: string, onProblems?: OnProblems): Problems => {
  const problems: string[] = [];
  return {
    add: (table, row, column, expected) =>
      void problems.push(`${table.path}:${row.line}, column ${column}: ${expected}, got "${row.get(column)}"`),
    throwIfAny() {
      if (problems.length === 0) return;
      if (onProblems !== undefined) return onProblems(problems);
      throw new PlatestreamError("invalid-data", listProblems(`${path} cannot be read:`, problems));
    },
  };
};

/** @throws PlatestreamError `invalid-data`: without its columns there is nothing to read in a table */
export const requireColumns = (table: Table, columns: readonly string[]): void => {
  const missing = columns.filter((column) => !table.columns.includes(column));
  if (missing.length === 0) return;
  throw new PlatestreamError(
    "invalid-data",
    `${table.path}:1: expected the columns ${columns.join(", ")}; ${missing.join(", ")} missing in the header "${table.columns.join(",")}"`,
  );
};
