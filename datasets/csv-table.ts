/** Tables as labs have them: any separator, encoding and line ending. The only file that imports the CSV parser. */
import { Readable } from "node:stream";
import Papa from "papaparse";
import { PlatestreamError } from "../common/errors.ts";
import { ColumnText } from "./column-text.ts";
import type { Problems } from "./problems.ts";
import { type ReadTextOptions, readText } from "./text-file.ts";

export interface Table {
  readonly path: string;
  /** Names as the header spells them, without the spaces around them. */
  readonly columns: readonly string[];
  readonly rows: number;
  /** "file:line" of a row; rows count from 0, lines from 1. */
  place(row: number): string;
  /** Text of a field without the spaces around it; empty where there is no such column. */
  get(row: number, column: string): string;
  /** The different texts of a column, where they are few. */
  distinct(column: string): readonly string[] | undefined;
}

export interface ReadTableOptions extends ReadTextOptions {
  readonly problems: Problems;
  note(note: string): void;
}

/**
 * Reads a table with a header. Blank lines and rows without any text are skipped. A row that has more or fewer fields than
 * the header, or a quote that is not closed, is a problem and no row of the table; a name that the header gives to two
 * columns is a problem, too.
 *
 * @throws PlatestreamError `invalid-data`: the file cannot be read, or has no header
 */
export const readTable = async (path: string, { problems, note, ...options }: ReadTableOptions): Promise<Table> => {
  const { value, ...text } = await readText(path, options, (pieces) => parse(path, pieces));
  const { columns, texts, lines, bad } = value;
  if (text.guessed) {
    note(`${path} is not UTF-8 and was read as ${text.encoding} (Latin-1); --encoding names another`);
  }
  for (const problem of bad) problems.add({ ...problem, place: `${path}:${problem.line}` });
  const position = new Map(columns.map((name, index) => [name, index]));
  const twice = columns.filter((name, index) => name !== "" && position.get(name) !== index);
  for (const name of new Set(twice)) {
    problems.add({
      place: `${path}:1`,
      column: name,
      rule: "a header names each column once",
      detail: ", this one twice",
    });
  }
  return {
    path,
    columns,
    rows: lines.length,
    place: (row) => `${path}:${lines[row]}`,
    get: (row, column) => texts[position.get(column) ?? -1]?.get(row) ?? "",
    distinct: (column) => texts[position.get(column) ?? -1]?.distinct,
  };
};

interface Parsed {
  readonly columns: readonly string[];
  readonly texts: readonly ColumnText[];
  /** Line of each row. */
  readonly lines: readonly number[];
  readonly bad: readonly { readonly line: number; readonly rule: string; readonly detail?: string }[];
}

const parse = async (path: string, pieces: AsyncIterable<string>): Promise<Parsed> => {
  const { separator, firstLine, text, quoted } = await beginning(path, pieces);
  const lines: number[] = [];
  const bad: Parsed["bad"][number][] = [];
  let columns: readonly string[] | undefined;
  let texts: ColumnText[] = [];
  let line = firstLine;
  const take = (record: readonly string[], malformed: string | undefined): void => {
    const at = line;
    line += 1;
    if (quoted()) for (const field of record) if (field.includes("\n")) line += field.split("\n").length - 1;
    if (record.every((field) => field.trim() === "")) return;
    if (columns === undefined) {
      columns = record.map((name) => name.trim());
      texts = columns.map(() => new ColumnText());
      return;
    }
    if (malformed !== undefined) {
      bad.push({
        line: at,
        rule: "a field that begins with a quote ends with one, and quotes inside are doubled",
        detail: ` (${malformed})`,
      });
      return;
    }
    const expected = columns.length;
    if (record.length < expected || record.slice(expected).some((field) => field.trim() !== "")) {
      bad.push({ line: at, rule: `expected ${expected} fields as in the header`, detail: `, got ${record.length}` });
      return;
    }
    lines.push(at);
    for (let column = 0; column < expected; column++) texts[column]!.add(trimmed(record[column]!));
  };
  await new Promise<void>((resolve, reject) => {
    Papa.parse<string[]>(Readable.from(text), {
      delimiter: separator,
      newline: "\n",
      chunk({ data, errors }) {
        const malformed = new Map(errors.map(({ row = -1, message }) => [row, message]));
        for (const [row, record] of data.entries()) take(record, malformed.get(row));
      },
      complete: () => resolve(),
      error: reject,
    });
  });
  if (columns === undefined) {
    throw new PlatestreamError("invalid-data", `${path} is empty; it must start with a header`);
  }
  return { columns, texts, lines, bad };
};

interface Beginning {
  readonly separator: string;
  readonly firstLine: number;
  /** All of the text that is to be parsed. */
  readonly text: AsyncIterable<string>;
  /** Whether there was a quote so far: only then can a field hold a line break. */
  quoted(): boolean;
}

/** `trim` costs more than a look at both ends, and hardly any field needs it. */
const trimmed = (text: string): string =>
  isPrintable(text.charCodeAt(0)) && isPrintable(text.charCodeAt(text.length - 1)) ? text : text.trim();

const isPrintable = (code: number): boolean => code > 32 && code < 127;

/** Excel may say in a first line of its own what separates the fields; elsewhere the header shows it. */
const beginning = async (path: string, pieces: AsyncIterable<string>): Promise<Beginning> => {
  const rest = pieces[Symbol.asyncIterator]();
  let start = "";
  while (!start.trimStart().includes("\n")) {
    const { value, done } = await rest.next();
    if (done) break;
    start += value;
    if (start.length > 1 << 22)
      throw new PlatestreamError("invalid-data", `${path} is not a table: its first line has no end`);
  }
  const declared = /^"?sep=(.)"?\n/i.exec(start);
  const body = declared === null ? start : start.slice(declared[0].length);
  let quotes = body.includes('"');
  async function* text() {
    if (body !== "") yield body;
    for (;;) {
      const { value, done } = await rest.next();
      if (done) return;
      quotes ||= value.includes('"');
      yield value;
    }
  }
  const header = body.trimStart().split("\n", 1)[0]!;
  return {
    separator: declared?.[1] ?? separatorOf(header),
    firstLine: declared === null ? 1 : 2,
    text: text(),
    quoted: () => quotes,
  };
};

/** What splits the header into most names; a space only where there is nothing else. */
const separatorOf = (header: string): string => {
  const outside = header.replaceAll(/"[^"]*"/g, "");
  const counted = [",", ";", "\t", "|", "~", "^", "\u001f"].map((each) => [each, outside.split(each).length] as const);
  const [best, parts] = counted.reduce((most, each) => (each[1] > most[1] ? each : most));
  return parts > 1 || !/\S \S/.test(outside) ? best : " ";
};
