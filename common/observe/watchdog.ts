/**
 * A thread that still acts when the main thread cannot: it ends the process at the third signal, and says what keeps the
 * main thread busy when that has not answered for a while.
 */
import { Worker } from "node:worker_threads";
import type { LogFormat } from "./log.ts";

/** What both threads read: `[beats, place of what runs]`, then the labels as JSON strings, each ended by a newline. */
const shared = new SharedArrayBuffer(2 ** 16);
const state = new Int32Array(shared, 0, 2);
const labels = new Uint8Array(shared, 8);
let end = 1; // place 0 is "nothing that has a label"

/** Gives code a label; too many labels share the last one's place. */
export const labelled = (label: string): number => {
  const bytes = new TextEncoder().encode(`${JSON.stringify(label)}\n`);
  if (end + bytes.length > labels.length) return 0;
  const place = end;
  labels.set(bytes, place);
  end += bytes.length;
  return place;
};

/** From now on code with this label runs on the main thread, until the returned function is called. */
export const enter = (label: number): (() => void) => {
  const before = Atomics.exchange(state, 1, label);
  return () => void Atomics.store(state, 1, before);
};

export interface Watchdog {
  /** From now on the thread counts SIGINT and SIGTERM as well. */
  countSignals(): void;
  close(): void;
}

const beatMs = 500;

/** Starts the thread. It holds up neither the event loop nor the end of the process; what it says is in the log's format. */
export const startWatchdog = (format: LogFormat = "text"): Watchdog => {
  const thread = new Worker(new URL("./watchdog-thread.js", import.meta.url), { workerData: { shared, format } });
  thread.unref();
  const beat = setInterval(() => Atomics.add(state, 0, 1), beatMs).unref();
  return {
    countSignals: () => thread.postMessage("count signals"),
    close() {
      clearInterval(beat);
      void thread.terminate();
    },
  };
};
