/** The bus of a single process: a queue in memory with a journal beside it, so that a restart knows the attempts. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { replaceFile } from "../../common/atomic-files.ts";
import { parse } from "../../common/schema.ts";
import type { Bus, Delivery, ExperimentRef } from "./bus.ts";

const journalSchema = z.record(
  z.string(),
  z.strictObject({
    cellType: z.string(),
    data: z.string(),
    state: z.enum(["queued", "running", "done", "failed"]),
    attempts: z.int().min(0),
    reason: z.string().optional(),
    stage: z.string().optional(),
  }),
);
type Journal = z.output<typeof journalSchema>;

const readJournal = async (path: string): Promise<Journal> =>
  parse(journalSchema, JSON.parse(await readFile(path, "utf8").catch(() => "{}")), path, "invalid-data");

export interface EmbeddedBus extends Bus {
  /** Experiments that are queued or in hand, by cell type. */
  unsettled(): ReadonlyMap<string, number>;
}

/** Opens the bus whose journal is `path`; without a path nothing survives the process. */
export const openEmbeddedBus = async (path?: string): Promise<EmbeddedBus> => {
  const journal = path === undefined ? {} : await readJournal(path);
  const suspects = new Set<string>();
  for (const [id, entry] of Object.entries(journal)) {
    if (entry.state !== "running") continue;
    // Whoever had it in hand is gone; the attempt counts, so that an experiment that kills the process fails.
    entry.state = "queued";
    suspects.add(id);
  }
  let writing: Promise<void> = Promise.resolve();
  const waiting: (() => void)[] = [];
  /** When an experiment that is tried again may be taken, in milliseconds of the epoch. */
  const notBefore = new Map<string, number>();

  const save = (): Promise<void> => {
    for (const wake of waiting.splice(0)) wake();
    if (path === undefined) return writing;
    const text = JSON.stringify(journal, null, 1);
    writing = writing.then(async () => {
      await replaceFile(path, text);
    });
    return writing;
  };
  const settle = (id: string, change: Partial<Journal[string]>): Promise<void> => {
    journal[id] = { ...journal[id]!, ...change };
    return save();
  };
  const deliver = async (id: string): Promise<Delivery> => {
    const { cellType, data, attempts } = journal[id]!;
    const attempt = attempts + 1;
    await settle(id, { state: "running", attempts: attempt });
    return {
      experiment: { id, cellType, data },
      attempt,
      suspect: suspects.delete(id),
      done: () => settle(id, { state: "done" }),
      retry: (reason, waitMs) => {
        notBefore.set(id, Date.now() + waitMs);
        return settle(id, { state: "queued", reason });
      },
      fail: (reason, stage, attempts) =>
        settle(id, { state: "failed", reason, attempts, ...(stage === undefined ? {} : { stage }) }),
      requeue: () => settle(id, { state: "queued", attempts }),
    };
  };

  return {
    async submit(experiments: readonly ExperimentRef[]) {
      let queued = 0;
      for (const { id, cellType, data } of experiments) {
        const known = journal[id];
        if (known !== undefined && known.state !== "failed") continue;
        journal[id] = { cellType, data, state: "queued", attempts: 0 };
        queued += 1;
      }
      await save();
      return { queued, known: experiments.length - queued };
    },
    async take(signal) {
      for (;;) {
        if (signal.aborted) return undefined;
        const entries = Object.entries(journal);
        const queued = entries.flatMap(([id, { state }]) => (state === "queued" ? [id] : []));
        const next = queued.find((id) => (notBefore.get(id) ?? 0) <= Date.now());
        if (next !== undefined) return deliver(next);
        if (queued.length === 0 && !entries.some(([, { state }]) => state === "running")) return undefined;
        const soonest = Math.min(...queued.map((id) => notBefore.get(id)!));
        await new Promise<void>((resolve) => {
          const timer = queued.length === 0 ? undefined : setTimeout(() => wake(), soonest - Date.now());
          const wake = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", wake);
            resolve();
          };
          waiting.push(wake);
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    },
    unsettled() {
      const counts = new Map<string, number>();
      for (const { state, cellType } of Object.values(journal)) {
        const open = state === "queued" || state === "running";
        counts.set(cellType, (counts.get(cellType) ?? 0) + Number(open));
      }
      return counts;
    },
    async close() {
      await writing;
    },
  };
};
