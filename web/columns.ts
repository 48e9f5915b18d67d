/** Rows of wells as columns, and back: what a page of 100,000 wells loads must be small. */
import type { Columns, MetadataColumn, WellRow } from "./protocol.ts";

const texts = ["experiment", "plate", "well", "wellType", "treatment", "call", "strategy"] as const;
const numbers = ["probability", "confidence", "margin", "plateGroup"] as const;
const lists = ["flags", "reasons"] as const;
const strategyPrefix = "by ";
const separator = "\u001f";

/** Four digits: more than any picture shows. */
const short = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toPrecision(4)));

export const toColumns = (rows: readonly WellRow[]): Columns => {
  const known = new Map<string, number>();
  const textOf = (text: string | undefined): number => {
    if (text === undefined) return -1;
    const there = known.get(text);
    if (there !== undefined) return there;
    known.set(text, known.size);
    return known.size - 1;
  };
  const columns: Record<string, readonly (number | null)[]> = {};
  for (const name of texts) columns[name] = rows.map((row) => textOf(row[name]));
  for (const name of numbers) columns[name] = rows.map((row) => short(row[name]));
  for (const name of lists) columns[name] = rows.map((row) => textOf(row[name].join(separator) || undefined));
  for (const strategy of new Set(rows.flatMap(({ byStrategy }) => Object.keys(byStrategy ?? {})))) {
    columns[strategyPrefix + strategy] = rows.map(({ byStrategy }) => textOf(byStrategy?.[strategy]));
  }
  const metadata: Record<string, MetadataColumn> = Object.create(null);
  for (const name of new Set(rows.flatMap((row) => Object.keys(row.metadata)))) {
    const values = rows.map((row) => (Object.hasOwn(row.metadata, name) ? row.metadata[name] : undefined));
    metadata[name] = values.every((value) => typeof value !== "string")
      ? { kind: "number", values: values.map((value) => (value === undefined ? null : Number(value))) }
      : { kind: "text", values: values.map((value) => textOf(value === undefined ? undefined : String(value))) };
  }
  return { count: rows.length, texts: [...known.keys()], columns, metadata };
};

export const fromColumns = ({ count, texts: known, columns, metadata }: Columns): WellRow[] => {
  const strategies = Object.keys(columns).filter((name) => name.startsWith(strategyPrefix));
  const details = Object.entries(metadata);
  return Array.from({ length: count }, (_, index) => {
    const row: Record<string, unknown> = {};
    for (const name of texts) {
      const text = columns[name]![index]!;
      if (text >= 0) row[name] = known[text];
    }
    for (const name of numbers) {
      const value = columns[name]![index];
      if (value != null) row[name] = value;
    }
    for (const name of lists) {
      const text = columns[name]![index]!;
      row[name] = text >= 0 ? known[text]!.split(separator) : [];
    }
    const called = strategies.flatMap((name) => {
      const text = columns[name]![index]!;
      return text >= 0 ? [[name.slice(strategyPrefix.length), known[text]] as const] : [];
    });
    if (called.length > 0) row.byStrategy = Object.fromEntries(called);
    row.metadata = Object.fromEntries(
      details.flatMap(([name, column]) => {
        const value = column.values[index];
        if (value == null || (column.kind === "text" && value < 0)) return [];
        return [[name, column.kind === "text" ? known[value]! : value] as const];
      }),
    );
    return row as unknown as WellRow;
  });
};
