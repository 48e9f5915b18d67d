/**
 * Events of a run on one machine: a file with one line of JSON per event. Their sequence numbers follow one another, from 1
 * on, or from the one after that which the file's first line names: `{"after": 324}`.
 */
import { type FileHandle, open, rename } from "node:fs/promises";
import { replaceFile } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { openRegularFile } from "../../common/read-file.ts";
import { type BusEvent, fits, kinds } from "./event.ts";
import { type EventStore, noSuchEvent } from "./store.ts";

export interface FileEvents extends EventStore {
  /** There will be no more events: whoever follows reads the rest, and ends. */
  end(): void;
  close(): Promise<void>;
}

interface Line {
  readonly event: BusEvent;
  /** Present on what is published once. */
  readonly once?: string;
}

interface Waiting {
  readonly text: string;
  readonly stored: () => void;
  readonly failed: (error: unknown) => void;
}

const chunkBytes = 2 ** 16;
const newline = 10;

export interface FileEventsOptions {
  /** Experiments whose calls were published here. */
  readonly published?: Iterable<string>;
  /** The file was damaged or lost events; what is missing has to be published again. */
  readonly onDamage?: (what: string) => void;
}

/**
 * Opens or creates it. What a killed process has written of its last line is cut off. A file that is damaged elsewhere, or
 * lacks events, is put aside, and a new one begun with numbers that were never given.
 *
 * In memory are where every line begins, eight bytes each, and which wells of unfinished experiments were published.
 */
export const openFileEvents = async (
  path: string,
  { published: expected = [], onDamage = () => undefined }: FileEventsOptions = {},
): Promise<FileEvents> => {
  const damage = await findDamage(path, new Set(expected));
  if (damage !== undefined) {
    const aside = `${path}.damaged-${Date.now()}`;
    const kept = await rename(path, aside).then(
      () => `; it is kept as ${aside}`,
      () => "",
    );
    await replaceFile(path, firstLine(unusedNumber()));
    onDamage(`${damage}${kept}`);
  }
  const file = await open(path, "a+");
  const { size } = await file.stat();
  const { base, begin } = await readFirstLine(file, size);
  /** Where the line of event base + n + 1 begins; the last entry is where the next one will. */
  const starts = [begin];
  const published = new Map<string, Set<string>>();
  const done = new Set<string>();
  const underWay = new Map<string, Promise<void>>();
  const readers = new Set<() => void>();
  let ended = false;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  const end = (): number => starts.at(-1)!;
  const last = (): number => base + starts.length - 1;
  const remember = (event: BusEvent, once: string | undefined): void => {
    const { experiment } = event;
    const state = event.kind === "state" ? event.state : undefined;
    if (state === "failed") published.get(experiment)?.delete(`${experiment} queued`);
    if (once === undefined || done.has(experiment)) return;
    if (state === "done") {
      done.add(experiment);
      published.delete(experiment);
    } else published.set(experiment, (published.get(experiment) ?? new Set()).add(once));
  };
  const wake = (): void => {
    for (const reader of readers) reader();
  };

  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const lines = batch.map(({ text }) => Buffer.from(`${text}\n`));
      try {
        await file.appendFile(Buffer.concat(lines));
        await file.datasync();
        for (const line of lines) starts.push(end() + line.length);
        for (const { stored } of batch) stored();
      } catch (error) {
        await file.truncate(end()).catch(() => undefined);
        for (const { failed } of batch) failed(error);
      }
      wake();
    }
    writing = undefined;
  };

  for await (const { text, next } of linesOf(file, begin, size)) {
    const { event, once } = JSON.parse(text) as Line;
    remember(event, once);
    starts.push(next);
  }
  if (size > end()) await file.truncate(end());

  return {
    append(event, { id, once = false }) {
      if (once && (done.has(event.experiment) || published.get(event.experiment)?.has(id))) return Promise.resolve();
      const under = once ? underWay.get(id) : undefined;
      if (under !== undefined) return under;
      const line: Line = { event, ...(once ? { once: id } : {}) };
      const stored = new Promise<void>((stored, failed) => waiting.push({ text: JSON.stringify(line), stored, failed }))
        .then(() => remember(event, line.once))
        .finally(() => underWay.delete(id));
      if (once) underWay.set(id, stored);
      writing ??= writeAll();
      return stored;
    },
    async *follow(filter, { after, storedOnly = false, signal }) {
      if (after > last()) throw noSuchEvent(after, last());
      let seq = Math.max(after, base);
      const upTo = storedOnly ? last() : Number.POSITIVE_INFINITY;
      while (!signal.aborted && seq < upTo) {
        if (seq >= last()) {
          if (ended) return;
          await somethingNew(readers, signal);
          continue;
        }
        for await (const { text } of linesOf(file, starts[seq - base]!, end())) {
          seq += 1;
          const { event } = JSON.parse(text) as Line;
          if (fits(filter, event)) yield { seq, value: event };
          if (signal.aborted || seq >= upTo) return;
        }
      }
    },
    last: async () => last(),
    end() {
      ended = true;
      wake();
    },
    async close() {
      await writing;
      ended = true;
      wake();
      await file.close();
    },
  };
};

/** What a run has published by now, whether it still runs or not. */
export const readFileEvents = (path: string): Pick<EventStore, "follow" | "last"> => {
  const lines = async function* (): AsyncGenerator<{ readonly seq: number; readonly text: string }> {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      let { base: seq, begin } = await readFirstLine(file, size);
      for await (const { text } of linesOf(file, begin, size)) yield { seq: ++seq, text };
    } finally {
      await file.close();
    }
  };
  const last = async (): Promise<number> => {
    const file = await open(path, "r");
    const { base } = await readFirstLine(file, (await file.stat()).size).finally(() => file.close());
    let found = base;
    for await (const { seq } of lines()) found = seq;
    return found;
  };
  return {
    last,
    async *follow(filter, { after, signal }) {
      const upTo = await last();
      if (after > upTo) throw noSuchEvent(after, upTo);
      for await (const { seq, text } of lines()) {
        if (seq <= after) continue;
        const event = parseLine(text)?.event;
        if (event === undefined) throw damaged(path, `event ${seq} is not an event: ${text.slice(0, 80)}`);
        if (fits(filter, event)) yield { seq, value: event };
        if (signal.aborted) return;
      }
    },
  };
};

/** Empties the file, and lets its numbers go on after the last one: who has seen some misses nothing that comes. */
export const restartFileEvents = async (path: string): Promise<void> => {
  const last = await readFileEvents(path)
    .last()
    .catch((error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? undefined : unusedNumber()));
  if (last !== undefined) await replaceFile(path, firstLine(last));
};

/** Higher than any that the events of a run have reached, one by one: seconds since 1970. */
const unusedNumber = (): number => Math.floor(Date.now() / 1000);

const firstLine = (after: number): string => `${JSON.stringify({ after })}\n`;

const readFirstLine = async (file: FileHandle, size: number): Promise<{ base: number; begin: number }> => {
  for await (const { text, next } of linesOf(file, 0, size)) {
    const { after } = (tryJson(text) ?? {}) as { readonly after?: unknown };
    if (typeof after === "number") return { base: after, begin: next };
    break;
  }
  return { base: 0, begin: 0 };
};

/** Undefined: every line but a last one without its end is an event, and all experiments are there. */
const findDamage = async (path: string, missing: Set<string>): Promise<string | undefined> => {
  const file = await openRegularFile(path).catch((error: PlatestreamError) => {
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return missing.size === 0 ? undefined : `${path} is missing`;
  try {
    const { size } = await file.stat();
    const { begin } = await readFirstLine(file, size);
    let line = begin === 0 ? 0 : 1;
    for await (const { text } of linesOf(file, begin, size)) {
      line += 1;
      const event = parseLine(text)?.event;
      if (event === undefined) return `line ${line} of ${path} is not an event: ${text.slice(0, 80)}`;
      if (event.kind === "state" && event.state === "done") missing.delete(event.experiment);
    }
    return missing.size === 0 ? undefined : `${path} has lost the events of ${[...missing].join(", ")}`;
  } finally {
    await file.close();
  }
};

const damaged = (path: string, what: string): PlatestreamError =>
  new PlatestreamError(
    "invalid-data",
    `${path} is damaged: ${what}; start the run again, which publishes what is lost anew`,
  );

const parseLine = (text: string): Line | undefined => {
  const line = tryJson(text) as Partial<Line> | undefined;
  const right = typeof line?.event?.experiment === "string" && kinds.some((kind) => kind === line.event?.kind);
  return right ? (line as Line) : undefined;
};

const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
};

const somethingNew = (readers: Set<() => void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const wake = () => {
      readers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    readers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });

/** Complete lines between two positions, and where the next one begins. */
async function* linesOf(file: FileHandle, from: number, to: number): AsyncGenerator<{ text: string; next: number }> {
  let rest = Buffer.alloc(0);
  let position = from;
  while (position + rest.length < to) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, to - position - rest.length));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position + rest.length);
    if (bytesRead === 0) return;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    for (let cut = rest.indexOf(newline); cut >= 0; cut = rest.indexOf(newline)) {
      const text = rest.toString("utf8", 0, cut);
      position += cut + 1;
      rest = rest.subarray(cut + 1);
      yield { text, next: position };
    }
  }
}
