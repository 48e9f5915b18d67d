/** Queues experiments, each once. */

import type { StateEvent } from "../../events/event.ts";
import type { ExperimentRef } from "../bus.ts";
import { nuid } from "./connection.ts";
import type { NatsBusParts } from "./open.ts";
import type { ExperimentRecord, QueuedExperiment } from "./records.ts";

/**
 * Queues experiments that are not queued, running or done. While the queue is full it waits, and calls `onFull`
 * once per experiment that waits.
 */
export const submitToNats = async (
  parts: NatsBusParts,
  experiments: readonly ExperimentRef[],
  onFull: () => void,
): Promise<{ readonly queued: number; readonly known: number }> => {
  let queued = 0;
  for (const experiment of experiments) if (await submitOne(parts, experiment, onFull)) queued += 1;
  return { queued, known: experiments.length - queued };
};

const submitOne = async (
  { streams, records }: NatsBusParts,
  { id, cellType, data }: ExperimentRef,
  onFull: () => void,
): Promise<boolean> => {
  const known = await records.get(id);
  if (known?.value.state === "done") return false;
  const message: QueuedExperiment = { id, cellType, data, submission: nuid.next() };
  const stored = await streams.publish(streams.names.experiment(cellType, id), message, {
    id: message.submission,
    only: true,
    onFull,
  });
  if (stored === "conflict") return false;
  // Only for those who look: a node that has taken it by now knows better, and this write loses against it.
  const record: ExperimentRecord = { ...message, state: "queued", attempts: 0, since: new Date().toISOString() };
  await records.replace(id, record, known?.revision ?? 0);
  const event: StateEvent = { kind: "state", experiment: id, cellType, node: "", at: record.since, state: "queued" };
  await streams.publish(streams.names.event("state", cellType, id, "queued"), event, {
    id: `${message.submission} queued`,
  });
  return true;
};
