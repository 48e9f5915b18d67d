/** Events of a run on one machine: a file with one line of JSON per event; the line's number is the sequence number. */
import { type FileHandle, open } from "node:fs/promises";
import { type BusEvent, fits } from "./event.ts";
import type { EventStore } from "./store.ts";

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

/**
 * Opens or creates it. What a killed process has written of its last line is cut off.
 *
 * In memory are where every line begins, eight bytes each, and which wells of unfinished experiments were published.
 */
export const openFileEvents = async (path: string): Promise<FileEvents> => {
  const file = await open(path, "a+");
  /** Where line n begins; the last entry is where the next one will. */
  const starts = [0];
  const published = new Map<string, Set<string>>();
  const done = new Set<string>();
  const underWay = new Map<string, Promise<void>>();
  const readers = new Set<() => void>();
  let ended = false;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  const end = (): number => starts.at(-1)!;
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

  const { size } = await file.stat();
  for await (const { text, next } of linesOf(file, 0, size)) {
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
      let seq = after;
      const upTo = storedOnly ? starts.length - 1 : Number.POSITIVE_INFINITY;
      while (!signal.aborted && seq < upTo) {
        if (seq >= starts.length - 1) {
          if (ended) return;
          await somethingNew(readers, signal);
          continue;
        }
        for await (const { text } of linesOf(file, starts[seq]!, end())) {
          seq += 1;
          const { event } = JSON.parse(text) as Line;
          if (fits(filter, event)) yield { seq, value: event };
          if (signal.aborted || seq >= upTo) return;
        }
      }
    },
    last: async () => starts.length - 1,
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
export const readFileEvents = (path: string): Pick<EventStore, "follow" | "last"> => ({
  async *follow(filter, { after, signal }) {
    const file = await open(path, "r");
    try {
      let seq = 0;
      for await (const { text } of linesOf(file, 0, (await file.stat()).size)) {
        seq += 1;
        if (seq <= after) continue;
        const { event } = JSON.parse(text) as Line;
        if (fits(filter, event)) yield { seq, value: event };
        if (signal.aborted) return;
      }
    } finally {
      await file.close();
    }
  },
  async last() {
    const file = await open(path, "r");
    try {
      let count = 0;
      for await (const _ of linesOf(file, 0, (await file.stat()).size)) count += 1;
      return count;
    } finally {
      await file.close();
    }
  },
});

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
