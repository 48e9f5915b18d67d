/** What a run has published and stored, and how it compares with a run that nothing disturbed. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { BusEvent } from "../../pipeline/events/event.ts";

export interface Event {
  readonly seq: number;
  readonly value: BusEvent;
}

/** Everything that has to be the same however a run went, each piece under a name of its own. */
export interface Outcome {
  /** `experiment plate well` -> the event of its call, without who published it and when. */
  readonly published: ReadonlyMap<string, string>;
  /** `experiment plate well` -> its line of calls.csv. */
  readonly tables: ReadonlyMap<string, string>;
  /** `experiment/file` -> the bytes of a finished experiment's wells and features. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reads them; a piece that is there twice and not the same is a difference, and is listed in `contradictions`. */
export const readOutcome = async (
  events: readonly Event[],
  folders: readonly string[],
): Promise<Outcome & { readonly contradictions: readonly string[] }> => {
  const contradictions: string[] = [];
  const put = (map: Map<string, string>, key: string, value: string) => {
    if ((map.get(key) ?? value) !== value) contradictions.push(key);
    map.set(key, value);
  };
  const published = new Map<string, string>();
  const tables = new Map<string, string>();
  const files = new Map<string, string>();
  for (const { value } of events) {
    if (value.kind !== "call") continue;
    const { node: _, at: __, ...call } = value;
    put(published, `${call.experiment} ${call.plate} ${call.well}`, JSON.stringify(call));
  }
  for (const folder of folders) {
    const [, ...lines] = (await readFile(join(folder, "calls.csv"), "utf8")).trimEnd().split("\n");
    for (const line of lines) put(tables, line.split(",", 3).join(" "), line);
    for (const experiment of await readdir(join(folder, "experiments"))) {
      for (const name of ["wells.json", "features.f32"]) {
        const path = join(folder, "experiments", experiment, name);
        put(files, `${experiment}/${name}`, await readFile(path, "latin1"));
      }
    }
  }
  return { published, tables, files, contradictions };
};

export interface Comparison {
  /** Calls, lines and files that the undisturbed run has and this one lacks. */
  readonly lost: readonly string[];
  /** Calls and ends of experiments that were published more than once, or that nobody asked for. */
  readonly doubled: readonly string[];
  /** Those that differ in any byte. */
  readonly different: readonly string[];
  /** What else is wrong with the stream of events. */
  readonly wrong: readonly string[];
}

/** `events` from the start as they are stored; `seen` as each subscriber saw them while it all happened. */
export const compare = async (
  reference: Outcome,
  {
    events,
    seen,
    folders,
  }: { events: readonly Event[]; seen: readonly (readonly Event[])[]; folders: readonly string[] },
  called: readonly string[],
): Promise<Comparison> => {
  const outcome = await readOutcome(events, folders);
  const lost: string[] = [];
  const different = [...outcome.contradictions];
  const doubled = twice(events.map(({ value }) => subjectOf(value)).filter((each) => each !== undefined));
  for (const part of ["published", "tables", "files"] as const) {
    const expected = [...reference[part]].filter(([key]) => called.includes(key.split(/[ /]/, 1)[0]!));
    for (const [key, value] of expected) {
      const got = outcome[part].get(key);
      if (got === undefined) lost.push(key);
      else if (got !== value) different.push(key);
    }
    const known = new Set(expected.map(([key]) => key));
    doubled.push(...[...outcome[part].keys()].filter((key) => !known.has(key)));
  }
  for (const experiment of called) {
    const done = events.some(({ value }) => subjectOf(value) === `${experiment} done`);
    if (!done) lost.push(`${experiment} done`);
  }
  const wrong: string[] = [];
  const numbers = events.map(({ seq }) => seq);
  if (numbers.some((seq, index) => seq !== index + 1)) wrong.push("the sequence numbers have gaps");
  for (const each of seen) {
    if (isDeepStrictEqual(each, events)) continue;
    wrong.push(`a subscriber saw ${each.length} events and ${events.length} are stored, or others`);
  }
  return { lost, doubled, different, wrong };
};

/** What may be published once; that it runs or waits may be repeated. */
const subjectOf = (event: BusEvent): string | undefined => {
  if (event.kind === "call") return `${event.experiment} ${event.plate} ${event.well}`;
  return event.state === "done" || event.state === "failed" || event.state === "queued"
    ? `${event.experiment} ${event.state}`
    : undefined;
};

const twice = (names: readonly string[]): string[] => names.filter((name, index) => names.indexOf(name) < index);
