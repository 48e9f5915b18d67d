/** Opens datasets away from the thread that answers clients: a table may take seconds to read. */
import { Piscina } from "piscina";
import { PlatestreamError } from "../../common/errors.ts";
import type { OpenOptions } from "../../datasets/open.ts";
import { cacheDatasets, type OpenedTables, realRoots } from "../parts/data-roots.ts";
import type { Outcome, Task } from "./dataset-thread.ts";

/** Datasets that are read side by side, and that may wait. */
const threads = 2;
const waiting = 64;

/** A table that takes longer is refused, and its thread ended. */
const timeoutMs = 120_000;

/** What lists of experiments are kept, which are small. */
const keptLists = 256;

export interface DatasetLists {
  /**
   * What a dataset lists now. Throws `invalid-data` where it lies outside the data roots or cannot be read, `queue-full`
   * where too many are being read.
   */
  open(data: string): Promise<OpenedTables>;
  close(): Promise<void>;
}

export const openDatasetLists = async (dirs: readonly string[], options: OpenOptions): Promise<DatasetLists> => {
  const roots = await realRoots(dirs);
  const pool = new Piscina<Task, Outcome>({
    filename: new URL("./dataset-thread.js", import.meta.url).href,
    maxThreads: threads,
    minThreads: 0,
    maxQueue: waiting,
    idleTimeout: 10_000,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  const open = async (data: string): Promise<OpenedTables> => {
    const outcome = await pool
      .run({ data, options: { ...options, within: roots } }, { signal: AbortSignal.timeout(timeoutMs) })
      .catch((thrown: Error & { readonly code?: string }) => {
        throw explain(data, thrown);
      });
    if ("code" in outcome) throw new PlatestreamError(outcome.code, outcome.message);
    return outcome;
  };
  return { open: cacheDatasets(roots, keptLists, open), close: () => pool.destroy() };
};

const explain = (data: string, thrown: Error & { readonly code?: string }): PlatestreamError => {
  if (/task queue/i.test(thrown.message)) {
    return new PlatestreamError("queue-full", "too many datasets are being opened; submit again in a while");
  }
  const reason =
    thrown.name === "AbortError"
      ? `opening it took longer than ${timeoutMs / 1000} s`
      : thrown.code === "ERR_WORKER_OUT_OF_MEMORY"
        ? "it takes more memory than a gateway gives to a dataset"
        : thrown.message;
  return new PlatestreamError("invalid-data", `${data} cannot be opened: ${reason}`, { cause: thrown });
};
