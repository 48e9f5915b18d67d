/** The workers that can be used: they announce themselves, and nodes look them up. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerInfo } from "./remote-worker.ts";

/** What a worker says of itself. */
export interface WorkerEntry {
  /** `host:port` under which nodes reach it. */
  readonly address: string;
  /** Name of its machine. */
  readonly host: string;
  readonly pid: number;
  readonly models: readonly WorkerModel[];
  /** For instance `onnxruntime`. */
  readonly runtime: string;
  /** What computes: `cpu`, `cuda`, `webgpu`. */
  readonly provider: string;
  /** Providers that it tried before, and why they do not compute there. */
  readonly refused?: readonly { readonly provider: string; readonly reason: string }[];
  /** Bytes of pixels that came so far, by the way that they took. */
  readonly received?: Readonly<Record<WorkerInfo["pixels"], number>>;
  /** Images that it takes in one request at most. */
  readonly maxBatch: number;
  /** Requests that it has in hand, whoever sent them. */
  readonly load: number;
  /** When it was started, ISO 8601; distinguishes it from an earlier worker at the same address. */
  readonly since: string;
  /** Version of its program. */
  readonly version: string;
}

export interface WorkerModel {
  readonly name: string;
  readonly cellType: string;
  readonly version: string;
  readonly trained: boolean;
}

/** Where the entries are kept: on a server of the bus, or in memory. An entry that is not written again vanishes. */
export interface WorkerDirectory {
  all(): Promise<readonly WorkerEntry[]>;
  put(key: string, entry: WorkerEntry): Promise<void>;
  remove(key: string): Promise<void>;
}

/** An entry that was not written for so long has vanished. */
export const workerForgottenMs = 15_000;
const heartbeatMs = 3_000;
/** A directory that is out of reach does not keep a worker from ending: the entry vanishes by itself. */
const leaveMs = 2_000;

/** Workers of two machines may both listen on 127.0.0.1. */
const keyOf = ({ host, address }: WorkerEntry): string => `${host} ${address}`;

export interface Announcement {
  /** Takes the entry away. */
  close(): Promise<void>;
}

/** Keeps a worker's entry up to date until it is closed. Resolves when the entry is there for the first time. */
export const announceWorker = async (
  directory: WorkerDirectory,
  entry: () => WorkerEntry,
  everyMs: number = heartbeatMs,
): Promise<Announcement> => {
  const key = keyOf(entry());
  let announcing: Promise<void> | undefined;
  const announce = (): Promise<void> => {
    announcing ??= directory.put(key, entry()).finally(() => {
      announcing = undefined;
    });
    return announcing;
  };
  await announce();
  // It fails only where the owner of the connection has closed it.
  const timer = setInterval(() => void announce().catch(() => undefined), everyMs);
  return {
    async close() {
      clearInterval(timer);
      const removed = Promise.resolve(announcing).then(() => directory.remove(key));
      await Promise.race([removed.catch(() => undefined), sleep(leaveMs, undefined, { ref: false })]);
    },
  };
};

/** A directory within one process. */
export const memoryDirectory = (forgetMs: number = workerForgottenMs): WorkerDirectory => {
  const entries = new Map<string, { readonly entry: WorkerEntry; readonly until: number }>();
  return {
    async all() {
      const now = performance.now();
      return [...entries.values()].filter(({ until }) => until > now).map(({ entry }) => entry);
    },
    async put(key, entry) {
      entries.set(key, { entry, until: performance.now() + forgetMs });
    },
    async remove(key) {
      entries.delete(key);
    },
  };
};
