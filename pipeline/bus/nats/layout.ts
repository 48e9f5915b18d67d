/** How the streams of a namespace are laid out: made where they are missing, migrated where an earlier version made them. */
import {
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from "@nats-io/jetstream";
import { PlatestreamError } from "../../../common/errors.ts";
import { type NatsConnection, nanos, retryUntilAnswered } from "./connection.ts";
import { codeOf, findStream, streamNameInUse } from "./jetstream.ts";
import type { Names } from "./names.ts";

/** What this program lays out. A later program migrates an earlier one's streams; an earlier one leaves a later one's alone. */
const layout = 1;

export interface Limits {
  /** Experiments that may wait; then submitting waits. Set when the stream is created, and kept by migrations. */
  readonly queue: number;
  /** Silence after which an experiment goes to another node. */
  readonly ackWaitMs: number;
  /** Servers of a cluster that keep every message; absent: as it is, one where nobody has said otherwise. */
  readonly replicas?: number | undefined;
}

export const defaultLimits: Limits = { queue: 10_000, ackWaitMs: 30_000 };

export const layOutStreams = async (
  nc: NatsConnection,
  manager: JetStreamManager,
  { names, limits, compress }: { readonly names: Names; readonly limits: Limits; readonly compress: boolean },
): Promise<void> => {
  for (const config of streamsOf(names, limits, compress)) await ensureStream(nc, manager, config);
  if (limits.replicas !== undefined) await setReplicas(nc, manager, names, limits.replicas);
};

type Wanted = Partial<StreamConfig> & { readonly name: string };

const streamsOf = (names: Names, limits: Limits, compress: boolean): Wanted[] => [
  {
    name: names.queue,
    description: `Platestream layout ${layout}: experiments that are not settled`,
    subjects: [names.all("experiments")],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs: limits.queue,
    duplicate_window: nanos(120_000),
  },
  {
    name: names.deadLetters,
    description: `Platestream layout ${layout}: experiments that failed, the last time of each`,
    subjects: [names.all("dead-letters")],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    duplicate_window: nanos(120_000),
  },
  {
    name: names.events,
    description: `Platestream layout ${layout}: calls, and changes of an experiment's state`,
    subjects: [names.all("events")],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    duplicate_window: nanos(120_000),
    ...(compress ? { compression: StoreCompression.S2 } : {}),
  },
];

/** What a migration sets; limits, replicas and the like stay as an operator wants them. */
const migrated = [
  "description",
  "subjects",
  "discard",
  "max_msgs_per_subject",
  "duplicate_window",
  "compression",
] as const;

const ensureStream = async (nc: NatsConnection, manager: JetStreamManager, wanted: Wanted): Promise<void> => {
  let there = await findStream(nc, manager, wanted.name);
  if (there === undefined) {
    await retryUntilAnswered(nc, () => manager.streams.add(wanted)).catch((error: unknown) => {
      if (codeOf(error) !== streamNameInUse) throw error;
    });
    there = await findStream(nc, manager, wanted.name);
  }
  const { config } = there!;
  if (layoutOf(config.description) > layout) return;
  const changes = migrated.filter(
    (key) => key in wanted && JSON.stringify(config[key]) !== JSON.stringify(wanted[key]),
  );
  if (changes.length === 0) return;
  const change = Object.fromEntries(changes.map((key) => [key, wanted[key]]));
  await retryUntilAnswered(nc, () => manager.streams.update(wanted.name, change));
};

/** @throws PlatestreamError `invalid-config` where the server has no cluster of so many */
const setReplicas = async (nc: NatsConnection, manager: JetStreamManager, names: Names, replicas: number) => {
  const streams = [names.queue, names.deadLetters, names.events];
  for (const name of [...streams, ...[names.records, names.nodes, names.workers].map((bucket) => `KV_${bucket}`)]) {
    const there = await findStream(nc, manager, name);
    if (there === undefined || there.config.num_replicas === replicas) continue;
    await retryUntilAnswered(nc, () => manager.streams.update(name, { num_replicas: replicas })).catch(
      (cause: Error) => {
        throw new PlatestreamError(
          "invalid-config",
          `--bus-replicas ${replicas} needs a cluster of at least so many servers with JetStream: ${cause.message}`,
          { cause },
        );
      },
    );
  }
};

const layoutOf = (description = ""): number => Number(/^Platestream layout (\d+)/.exec(description)?.[1] ?? 0);
