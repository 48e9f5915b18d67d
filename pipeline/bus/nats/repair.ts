/** Gives a bus back what its server has lost: from the results' folders of its nodes, and from what is left of it. */
import type { BusEvent } from "../../events/event.ts";
import type { EventPublisher } from "../../events/publish.ts";
import type { EventStore } from "../../events/store.ts";
import type { ReportedExperiment } from "../../results/report.ts";
import { nuid, retryUntilAnswered } from "./connection.ts";
import { isUnreadable, natsEvents } from "./events.ts";
import { lostExperiments, queueAgain } from "./mend.ts";
import type { NatsBusParts } from "./open.ts";
import type { ExperimentRecord } from "./records.ts";

/** A finished experiment as a node's folder holds it. */
export interface Held extends Pick<ReportedExperiment, "report" | "wells"> {
  /** Folder of its dataset. */
  readonly data: string;
}

/** Says what it did, a sentence per thing; nothing where all was right. */
type Say = (what: string) => void;

/** Makes sure that all calls of an experiment are published. Events that an operator lets expire stay away. */
export const restoreCalls = async (
  parts: NatsBusParts,
  publisher: EventPublisher,
  { report, wells }: Pick<Held, "report" | "wells">,
  say: Say,
): Promise<void> => {
  const { experiment: id, cellType, called } = report;
  if (await eventsExpire(parts)) return;
  const { calls, done } = await publishedOf(parts, { id, cellType });
  if (calls >= called && done) return;
  await publisher.publishStored({ report, wells });
  say(`${called - calls} of ${called} calls of ${id} were lost, and are published again`);
};

/** Makes sure that the bus knows that an experiment is done, and that all its calls are published. */
export const restoreHeld = async (
  parts: NatsBusParts,
  publisher: EventPublisher,
  held: Held,
  say: Say,
): Promise<void> => {
  const { experiment: id, cellType } = held.report;
  await restoreCalls(parts, publisher, held, say);
  let known: ExperimentRecord | undefined;
  await parts.records.change(id, (record) => {
    known = record;
    if (record?.state === "done") return undefined;
    const { data } = held;
    const fresh = { id, cellType, data, submission: nuid.next(), attempts: held.report.attempts };
    return { ...fresh, ...record, state: "done", since: new Date().toISOString() };
  });
  if (known?.state !== "done") say(`${id} was ${known?.state ?? "unknown"} to the bus, and is done`);
};

/** Queues an experiment again that was done: its results are lost. Calls that are published stay as they are. */
export const callAgain = async (parts: NatsBusParts, id: string): Promise<void> => {
  await parts.records.change(id, (record) =>
    record?.state === "done" ? { ...record, submission: nuid.next(), state: "queued", attempts: 0 } : undefined,
  );
  const record = await parts.records.get(id);
  if (record?.value.state === "queued") await queueAgain(parts, record.value);
};

/**
 * Repairs everything that can be found: `held` is asked for what the nodes' folders hold. What was done and is held by nobody
 * is queued again.
 */
export const repairBus = async (
  parts: NatsBusParts,
  publisher: EventPublisher,
  held: () => AsyncIterable<Held>,
  say: Say,
): Promise<void> => {
  await rebuildEvents(parts, say);
  const restored = new Set<string>();
  // What a damaged stream takes it may still not give.
  for (let changed = true; changed; changed &&= await rebuildEvents(parts, say)) {
    changed = false;
    for await (const each of held()) {
      restored.add(each.report.experiment);
      await restoreHeld(parts, publisher, each, (what) => {
        changed = true;
        say(what);
      });
    }
  }
  const records = await parts.records.all();
  if (!(await eventsExpire(parts))) {
    for (const record of records) {
      if (record.state !== "done" || restored.has(record.id) || (await isPublished(parts, record))) continue;
      await callAgain(parts, record.id);
      say(`calls of ${record.id} were lost and no folder holds them: it is queued again`);
    }
  }
  for (const record of await lostExperiments(parts)) {
    if ((await queueAgain(parts, record)) === "stored") say(`the queue had lost ${record.id}: it is queued again`);
  }
  for (const cellType of new Set(records.map((record) => record.cellType))) {
    if (!(await parts.streams.isStuck(cellType))) continue;
    await parts.streams.restartConsumer(cellType);
    say(`experiments of ${cellType} were out of reach in the queue, and are delivered again`);
  }
};

/** What is wrong as far as it can be seen at a glance: a sentence each, for `pipeline status`. */
export const findDamage = async (parts: NatsBusParts, records: readonly ExperimentRecord[]): Promise<string[]> => {
  const lost = (await lostExperiments(parts)).map(({ id }) => id);
  const found = lost.length === 0 ? [] : [`the queue has lost ${lost.join(", ")}`];
  if (await eventsExpire(parts)) return found;
  const unpublished: string[] = [];
  for (const record of records)
    if (record.state === "done" && !(await publishedOf(parts, record)).done) unpublished.push(record.id);
  return unpublished.length === 0 ? found : [...found, `calls are lost of ${unpublished.join(", ")}`];
};

const eventsExpire = async ({ nc, streams: { manager, names } }: NatsBusParts): Promise<boolean> => {
  const { config } = await retryUntilAnswered(nc, () => manager.streams.info(names.events));
  return config.max_age > 0 || config.max_bytes > 0 || config.max_msgs > 0;
};

const publishedOf = async (
  { streams }: NatsBusParts,
  { id, cellType }: { readonly id: string; readonly cellType: string },
) => {
  const { names } = streams;
  const subjects = await streams.subjects(names.events, names.eventsOf({ cellType, experiment: id }));
  const prefix = names.event("call", cellType, id);
  return {
    calls: [...subjects].filter((subject) => subject.startsWith(`${prefix}.`)).length,
    done: subjects.has(names.event("state", cellType, id, "done")),
  };
};

const isPublished = async (parts: NatsBusParts, record: ExperimentRecord): Promise<boolean> => {
  const { calls, done } = await publishedOf(parts, record);
  if (!done) return false;
  const { names } = parts.streams;
  const [last] = await parts.streams.last<{ readonly calls: number }>(
    names.events,
    names.event("state", record.cellType, record.id, "done"),
  );
  return last !== undefined && calls >= last.value.calls;
};

/**
 * A stream whose files are damaged may count what it cannot give, or give nothing although it can be read number by number.
 * Then all that can be read is published anew, with numbers after the last one. Says whether that was so.
 */
const rebuildEvents = async (parts: NatsBusParts, say: Say): Promise<boolean> => {
  const { nc, streams } = parts;
  const { manager, names } = streams;
  const store = natsEvents(parts);
  const { messages, last_seq } = (await retryUntilAnswered(nc, () => manager.streams.info(names.events))).state;
  if ((await countEvents(store)) >= messages) return false;
  const readable = await streams.readEach<BusEvent>(names.events);
  await streams.empty(names.events);
  for (const event of readable) await store.append(event, { id: nuid.next() });
  say(
    `events could not be read: ${readable.length} of ${messages} are published again, with numbers after ${last_seq}`,
  );
  return true;
};

/** Those that a subscriber gets. */
const countEvents = async (store: EventStore): Promise<number> => {
  let count = 0;
  try {
    const { signal } = new AbortController();
    for await (const _ of store.follow({}, { after: 0, storedOnly: true, signal })) count += 1;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
  return count;
};
