/** What a killed, damaged or rolled-back server keeps from being done, and how it is put right. */
import { PlatestreamError } from "../../../common/errors.ts";
import { nuid } from "./connection.ts";
import type { NatsBusParts } from "./open.ts";
import type { ExperimentRecord, QueuedExperiment } from "./records.ts";

/** Whether it is to be called yet. */
export const isOpen = ({ state }: ExperimentRecord): boolean => state !== "done" && state !== "failed";

/** Queues what the queue has lost, with the attempts that it had. Nothing happens where it is there. */
export const queueAgain = async ({ streams }: NatsBusParts, { id, cellType, data, submission }: QueuedExperiment) =>
  streams.publish(
    streams.names.experiment(cellType, id),
    { id, cellType, data, submission },
    { id: `${submission} ${nuid.next()}`, only: true },
  );

/**
 * For idle nodes, now and then: messages that are settled and were kept are removed, consumers that do not see what is in
 * the queue are made anew, and experiments that are in nobody's hands and not in the queue are queued again, when that was so
 * for `graceMs`. Returns what was done, a sentence each.
 */
export const tidyQueue = (parts: NatsBusParts, graceMs: number) => {
  const { streams } = parts;
  const missing = new Map<string, number>();
  const stuck = new Map<string, number>();
  const sinceWhen = (seen: Map<string, number>, key: string): number => {
    const first = seen.get(key) ?? performance.now();
    seen.set(key, first);
    return performance.now() - first;
  };
  return async (cellTypes: readonly string[]): Promise<readonly string[]> => {
    const done: string[] = [];
    try {
      await dropSettled(parts, cellTypes);
      for (const cellType of cellTypes) {
        if (!(await streams.isStuck(cellType))) stuck.delete(cellType);
        else if (sinceWhen(stuck, cellType) >= graceMs) {
          await streams.restartConsumer(cellType);
          stuck.delete(cellType);
          done.push(`experiments of ${cellType} were out of reach in the queue, and are delivered again`);
        }
      }
      const lost = await lostExperiments(parts, cellTypes);
      const keys = new Set(lost.map(keyOf));
      for (const key of missing.keys()) if (!keys.has(key)) missing.delete(key);
      for (const record of lost) {
        if (sinceWhen(missing, keyOf(record)) < graceMs) continue;
        if ((await queueAgain(parts, record)) === "stored")
          done.push(`the queue had lost ${record.id}: it is queued again`);
      }
    } catch (error) {
      // A login that may not mend: those that may will.
      if (PlatestreamError.from(error).code !== "permission-denied") throw error;
    }
    return done;
  };
};

const keyOf = ({ id, submission, state, since }: ExperimentRecord): string => [id, submission, state, since].join("\n");

/** Experiments that are to be called, are not in the queue and run on no node that is there. */
export const lostExperiments = async (
  { streams, records, nodes }: NatsBusParts,
  cellTypes?: readonly string[],
): Promise<readonly ExperimentRecord[]> => {
  const open = (await records.all()).filter(
    (record) => isOpen(record) && (cellTypes?.includes(record.cellType) ?? true),
  );
  if (open.length === 0) return [];
  const queued = await streams.subjects(streams.names.queue, streams.names.all("experiments"));
  const lost = open.filter(({ id, cellType }) => !queued.has(streams.names.experiment(cellType, id)));
  if (lost.length === 0) return [];
  const running = (await nodes.all()).flatMap((node) => node.running.map(({ experiment }) => experiment));
  return lost.filter(({ id }) => !running.includes(id));
};

/** A server that was killed may have kept messages that it knows to be settled: it hands them to nobody. */
const dropSettled = async ({ streams, records }: NatsBusParts, cellTypes: readonly string[]): Promise<void> => {
  const { queue, experimentsOf } = streams.names;
  for (const cellType of cellTypes) {
    // One that is not an experiment is not this one's to settle.
    const waiting = await streams.last<QueuedExperiment>(queue, experimentsOf(cellType)).catch(() => []);
    for (const { seq, value } of waiting) {
      const { state, submission } = (await records.get(value.id))?.value ?? {};
      const settled = submission === value.submission && (state === "done" || state === "failed");
      if (settled) await streams.remove(queue, seq).catch(() => undefined); // gone by now
    }
  }
};
