/** The bus of a single process: a queue in memory with a journal beside it, so that a restart knows the attempts. */
import { z } from "zod";
import { readJson, replaceFile } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { parse } from "../../common/schema.ts";
import type { Bus, Delivery, ExperimentRef } from "./bus.ts";

const entrySchema = z.strictObject({
  id: z.string(),
  cellType: z.string(),
  data: z.string(),
  state: z.enum(["queued", "running", "waiting", "done", "failed"]),
  attempts: z.int().min(0),
  reason: z.string().optional(),
  stage: z.string().optional(),
});
type Entry = z.output<typeof entrySchema>;

export interface EmbeddedBus extends Bus {
  /** Experiments that are not settled, by cell type. */
  unsettled(): ReadonlyMap<string, number>;
}

export interface EmbeddedBusOptions {
  /** The journal; without it nothing survives the process. */
  readonly path?: string;
  /** Experiments whose results are there: what the journal holds for done and is not among them is not done. */
  readonly done?: ReadonlySet<string>;
  /** The journal is damaged, so attempts of earlier processes are not known. */
  readonly onDamage?: (what: string) => void;
}

const readJournal = async ({ path, done, onDamage = () => undefined }: EmbeddedBusOptions): Promise<Entry[]> => {
  if (path === undefined) return [];
  try {
    const there = await readJson(path);
    const entries = there === undefined ? [] : parse(z.array(entrySchema), there, path, "invalid-data");
    return entries.filter(({ id, state }) => state !== "done" || done === undefined || done.has(id));
  } catch (error) {
    onDamage(`${PlatestreamError.from(error).rawMessage}; attempts count from 1 again`);
    return [];
  }
};

/** Opens the bus of a journal. */
export const openEmbeddedBus = async (options: EmbeddedBusOptions = {}): Promise<EmbeddedBus> => {
  const { path } = options;
  const journal = new Map((await readJournal(options)).map((entry) => [entry.id, entry]));
  const suspects = new Set<string>();
  for (const entry of journal.values()) {
    // Whoever had it in hand is gone; the attempt counts, so that an experiment that kills the process fails.
    if (entry.state === "running") suspects.add(entry.id);
    if (entry.state === "running" || entry.state === "waiting") entry.state = "queued";
  }
  let writing: Promise<void> = Promise.resolve();
  const takers: (() => void)[] = [];
  /** When an experiment that is tried again may be taken, by a clock that nobody sets. */
  const notBefore = new Map<string, number>();

  const save = (): Promise<void> => {
    for (const wake of takers.splice(0)) wake();
    if (path === undefined) return writing;
    const text = JSON.stringify([...journal.values()], null, 1);
    writing = writing.catch(() => undefined).then(() => replaceFile(path, text));
    return writing;
  };
  const settle = (id: string, change: Partial<Entry>): Promise<void> => {
    journal.set(id, { ...journal.get(id)!, ...change });
    return save();
  };
  const deliver = async ({ id, cellType, data, attempts }: Entry): Promise<Delivery> => {
    const attempt = attempts + 1;
    await settle(id, { state: "running", attempts: attempt });
    return {
      experiment: { id, cellType, data },
      attempt,
      suspect: suspects.delete(id),
      done: () => settle(id, { state: "done" }),
      retry: (reason, waitMs) => {
        notBefore.set(id, performance.now() + waitMs);
        return settle(id, { state: "waiting", reason });
      },
      fail: (reason, stage, attempts) =>
        settle(id, { state: "failed", reason, attempts, ...(stage === undefined ? {} : { stage }) }),
      requeue: () => settle(id, { state: "queued", attempts }),
    };
  };

  return {
    async submit(experiments: readonly ExperimentRef[]) {
      let queued = 0;
      for (const experiment of experiments) {
        const known = journal.get(experiment.id);
        if (known !== undefined && known.state !== "failed") continue;
        journal.set(experiment.id, { ...experiment, state: "queued", attempts: 0 });
        queued += 1;
      }
      await save();
      return { queued, known: experiments.length - queued };
    },
    async take(signal) {
      for (;;) {
        if (signal.aborted) return undefined;
        const entries = [...journal.values()];
        const open = entries.filter(({ state }) => state === "queued" || state === "waiting");
        const waitOf = ({ id }: Entry) => (notBefore.get(id) ?? 0) - performance.now();
        const next = open.find((entry) => waitOf(entry) <= 0);
        if (next !== undefined) return deliver(next);
        if (open.length === 0 && !entries.some(({ state }) => state === "running")) return undefined;
        const soonest = Math.min(...open.map(waitOf));
        await new Promise<void>((resolve) => {
          const timer = open.length === 0 ? undefined : setTimeout(() => wake(), soonest);
          const wake = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", wake);
            resolve();
          };
          takers.push(wake);
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    },
    unsettled() {
      const counts = new Map<string, number>();
      for (const { state, cellType } of journal.values()) {
        const open = state !== "done" && state !== "failed";
        counts.set(cellType, (counts.get(cellType) ?? 0) + Number(open));
      }
      return counts;
    },
    async close() {
      await writing;
    },
  };
};
