/** Streams and consumers: the only file that knows the client's JetStream API. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  type Consumer,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from "@nats-io/jetstream";
import { lastValueFrom, range, toArray } from "rxjs";
import { mapOrdered } from "../../../common/concurrency.ts";
import { PlatestreamError } from "../../../common/errors.ts";
import { noSuchEvent } from "../../events/store.ts";
import {
  answerMs,
  type Connected,
  isNoResponse,
  type Msg,
  type NatsConnection,
  nanos,
  nuid,
  retryUntilAnswered,
} from "./connection.ts";
import { type Names, namesIn } from "./names.ts";

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

export type Published = "stored" | "duplicate" | "conflict";

export interface FollowOptions {
  readonly subject: string;
  readonly after: number;
  /** End when everything up to this number was read; absent: never. */
  readonly upTo?: number;
  readonly signal: AbortSignal;
}

export interface Streams {
  readonly names: Names;
  /** For what is not said here. */
  readonly manager: JetStreamManager;
  readonly limits: Limits;
  /** Creates or migrates the consumers of some cell types. */
  openConsumers(cellTypes: readonly string[]): Promise<void>;
  /** The next message of a cell type, if there is one now. */
  next(cellType: string): Promise<Msg | undefined>;
  /**
   * Settles a message of the queue by the reply that the server's protocol has for it. "gone": it is not in the queue any
   * more; "orphaned": it is, and the consumer that delivered it is not.
   */
  settle(message: Msg, reply: string): Promise<"settled" | "gone" | "orphaned">;
  /** Messages of a cell type that are not settled yet. */
  unsettled(cellType: string): Promise<number>;
  /** Whether messages of a cell type lie where its consumer has passed already, so that nobody will ever get them. */
  isStuck(cellType: string): Promise<boolean>;
  /** Makes the consumer of a cell type anew: it delivers all that is in the queue. */
  restartConsumer(cellType: string): Promise<void>;
  /** Subjects of a stream that fit, those that hold a message. */
  subjects(stream: string, subject: string): Promise<ReadonlySet<string>>;
  /**
   * Stores one message, through lost connections and full disks, once. With `only`, the subject must hold none: else
   * "conflict". `onFull`: the stream takes no more for now.
   */
  publish(
    subject: string,
    value: unknown,
    options: { readonly id: string; readonly only?: boolean; readonly onFull?: () => void },
  ): Promise<Published>;
  /** Last message of every subject of a stream, or of one that fits `subject`. */
  last<T>(stream: string, subject: string): Promise<readonly { readonly seq: number; readonly value: T }[]>;
  /** Makes a stream anew, with its configuration and without messages; numbers go on after the last one. */
  empty(stream: string): Promise<void>;
  /** Every message of a stream that can be read, number by number: slow, and of use where the stream's files are damaged. */
  readEach<T>(stream: string): Promise<readonly T[]>;
  /**
   * From the first message after sequence number `after` on, then whatever comes, until aborted. Throws "invalid-data" where
   * the server counts messages that it cannot give, and "invalid-request" where its numbers have fallen.
   */
  follow<T>(stream: string, options: FollowOptions): AsyncGenerator<{ readonly seq: number; readonly value: T }>;
  remove(stream: string, seq: number): Promise<void>;
}

/** The server's JetStream. Throws "bus-unavailable" where it has none. */
export const openManager = (nc: NatsConnection): Promise<JetStreamManager> => {
  const open = () => jetstreamManager(nc, { timeout: answerMs });
  // A server that has just started may take a moment; one without JetStream never gets there.
  const again = () => sleep(startingMs).then(open);
  return open()
    .catch(again)
    .catch((cause: Error) => {
      throw new PlatestreamError(
        "bus-unavailable",
        `the NATS server at ${nc.getServer()} must have JetStream (${cause.message}); start it with \`nats-server --jetstream --store_dir DIR\``,
        { cause },
      );
    });
};

/** Opens the streams of a namespace: creates what is missing and migrates what an earlier version made. */
export const openStreams = async ({ nc, serverIs }: Connected, namespace: string, limits: Limits): Promise<Streams> => {
  const names = namesIn(namespace);
  const manager = await openManager(nc);
  const layOut = async () => {
    for (const config of streamsOf(names, limits, serverIs("2.10"))) await ensureStream(nc, manager, config);
    if (limits.replicas !== undefined) await setReplicas(nc, manager, names, limits.replicas);
  };
  await layOut();
  return streamsOn(nc, manager, jetstream(nc, { timeout: answerMs }), { names, limits, layOut });
};

const startingMs = 2_000;

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
  let there = await find(nc, manager, wanted.name);
  if (there === undefined) {
    await retryUntilAnswered(nc, () => manager.streams.add(wanted)).catch((error: unknown) => {
      if (codeOf(error) !== streamNameInUse) throw error;
    });
    there = await find(nc, manager, wanted.name);
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
    const there = await find(nc, manager, name);
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

const find = (nc: NatsConnection, manager: JetStreamManager, name: string) =>
  retryUntilAnswered(nc, () => manager.streams.info(name)).catch((error: unknown) => {
    if (codeOf(error) === streamNotFound) return undefined;
    throw error;
  });

const layoutOf = (description = ""): number => Number(/^Platestream layout (\d+)/.exec(description)?.[1] ?? 0);

const streamNotFound = 10059;
const streamNameInUse = 10058;
const consumerNotFound = 10014;
const wrongLastSequence = 10071;
const noMessage = 10037;
/** What a reader asks for at a time; it asks again when it has read that, so a slow one holds no more. */
const reading = { max_messages: 200, expires: 3_000, idle_heartbeat: 1_000 };
const forgetReaderMs = 300_000;
const readAgainMs = 200;
const readsAtATime = 64;

const codeOf = (error: unknown): number | undefined => (error instanceof JetStreamApiError ? error.code : undefined);

const streamsOn = (
  nc: NatsConnection,
  manager: JetStreamManager,
  client: JetStreamClient,
  { names, limits, layOut }: Pick<Streams, "names" | "limits"> & { readonly layOut: () => Promise<void> },
): Streams => ({
  names,
  manager,
  limits,

  async openConsumers(cellTypes) {
    for (const cellType of cellTypes) {
      const wanted = {
        durable_name: names.consumer(cellType),
        filter_subject: names.experimentsOf(cellType),
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        ack_wait: nanos(limits.ackWaitMs),
        // Attempts are counted in the experiment's record: a delivery to a node that leaves is none.
        max_deliver: -1,
      };
      const there = await retryUntilAnswered(nc, () => manager.consumers.info(names.queue, wanted.durable_name)).catch(
        (error) => {
          if (codeOf(error) === consumerNotFound) return undefined;
          throw error;
        },
      );
      if (there === undefined) await retryUntilAnswered(nc, () => manager.consumers.add(names.queue, wanted));
      else if (there.config.ack_wait !== wanted.ack_wait || there.config.max_deliver !== wanted.max_deliver)
        await retryUntilAnswered(nc, () => manager.consumers.update(names.queue, wanted.durable_name, wanted));
    }
  },

  async next(cellType) {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${names.queue}.${names.consumer(cellType)}`;
    const request = JSON.stringify({ batch: 1, no_wait: true });
    // A message keeps its own subject, so the answer cannot come through the shared inbox.
    const message = await retryUntilAnswered(nc, () =>
      nc.request(subject, request, { timeout: answerMs, noMux: true }).catch(async (error: unknown) => {
        if (isNoResponse(error)) await layOut().then(() => this.openConsumers([cellType]));
        throw error;
      }),
    );
    return message.headers !== undefined && message.headers.code >= 400 ? undefined : message;
  },

  async settle(message, reply) {
    const { seq, consumer } = deliveryOf(message);
    const stored = async () => {
      const found = await retryUntilAnswered(nc, () => manager.streams.getMessage(names.queue, { seq })).catch(
        (error) => {
          if (codeOf(error) === noMessage || codeOf(error) === streamNotFound) return null;
          throw error;
        },
      );
      return found?.subject === message.subject && Buffer.from(found.data).equals(message.data);
    };
    // A queue or consumer that was deleted and made again knows other messages by the same numbers.
    if (!(await stored())) return "gone";
    return retryUntilAnswered(nc, async () => {
      try {
        await nc.request(message.reply!, reply, { timeout: answerMs });
        return "settled" as const;
      } catch (error) {
        if (!isNoResponse(error)) throw error;
        const lost = await manager.consumers.info(names.queue, consumer).then(
          () => false,
          (why: unknown) => codeOf(why) === consumerNotFound || codeOf(why) === streamNotFound,
        );
        if (!lost) throw error;
        return (await stored()) ? ("orphaned" as const) : ("gone" as const);
      }
    });
  },

  async isStuck(cellType) {
    const info = () => manager.consumers.info(names.queue, names.consumer(cellType));
    const consumer = await retryUntilAnswered(nc, info).catch((error: unknown) => {
      if (codeOf(error) === consumerNotFound || codeOf(error) === streamNotFound) return undefined;
      throw error;
    });
    if (consumer === undefined || consumer.num_pending + consumer.num_ack_pending > 0) return false;
    return (await this.unsettled(cellType)) > 0;
  },

  async restartConsumer(cellType) {
    await retryUntilAnswered(nc, () => manager.consumers.delete(names.queue, names.consumer(cellType))).catch(
      (error) => {
        if (codeOf(error) !== consumerNotFound) throw error;
      },
    );
    await this.openConsumers([cellType]);
  },

  async subjects(stream, subject) {
    const { state } = await retryUntilAnswered(nc, () => manager.streams.info(stream, { subjects_filter: subject }));
    return new Set(Object.keys(state.subjects ?? {}));
  },

  async unsettled(cellType) {
    const { state } = await retryUntilAnswered(nc, () =>
      manager.streams.info(names.queue, { subjects_filter: names.experimentsOf(cellType) }),
    );
    return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  },

  async publish(subject, value, { id, only, onFull }) {
    const expect = only ? { expect: { lastSubjectSequence: 0 } } : {};
    try {
      const options = { msgID: id, timeout: answerMs, ...expect };
      const store = () =>
        client.publish(subject, JSON.stringify(value), options).catch(async (error: unknown) => {
          // Somebody may have deleted the stream: then only its subscribers are left, and they do not answer.
          if (isNoResponse(error)) await layOut();
          throw error;
        });
      const { duplicate } = await retryUntilAnswered(nc, store, onFull);
      return duplicate ? "duplicate" : "stored";
    } catch (error) {
      if (codeOf(error) === wrongLastSequence) return "conflict";
      throw error;
    }
  },

  async last<T>(stream: string, subject: string) {
    const { state } = await retryUntilAnswered(nc, () => manager.streams.info(stream, { subjects_filter: subject }));
    const found = await Promise.all(
      Object.keys(state.subjects ?? {}).map((each) =>
        retryUntilAnswered(nc, () => manager.streams.getMessage(stream, { last_by_subj: each })).catch((error) => {
          if (codeOf(error) === noMessage) return null;
          throw error;
        }),
      ),
    );
    return found
      .filter((message) => message !== null)
      .sort((a, b) => a.seq - b.seq)
      .map((message) => ({ seq: message.seq, value: message.json<T>() }));
  },

  async empty(stream) {
    const { config, state } = await retryUntilAnswered(nc, () => manager.streams.info(stream));
    await retryUntilAnswered(nc, () => manager.streams.delete(stream));
    await retryUntilAnswered(nc, () => manager.streams.add(config));
    await retryUntilAnswered(nc, () => manager.streams.purge(stream, { seq: state.last_seq + 1 }));
  },

  async readEach<T>(stream: string) {
    const { state } = await retryUntilAnswered(nc, () => manager.streams.info(stream));
    const read = async (seq: number): Promise<readonly T[]> => {
      const message = await retryUntilAnswered(nc, () => manager.streams.getMessage(stream, { seq })).catch((error) => {
        if (error instanceof JetStreamApiError) return null;
        throw error;
      });
      try {
        return message === null ? [] : [message.json<T>()];
      } catch {
        return []; // damaged
      }
    };
    const numbers = range(state.first_seq, state.last_seq - state.first_seq + 1);
    return (await lastValueFrom(numbers.pipe(mapOrdered(readsAtATime, read), toArray()))).flat();
  },

  async *follow<T>(stream: string, { subject, after, upTo = Number.POSITIVE_INFINITY, signal }: FollowOptions) {
    let last = after;
    let fruitless = 0;
    while (!signal.aborted) {
      // Numbers that fall are those of a store that was rolled back or made anew: what comes may have been seen, or not.
      const there = await find(nc, manager, stream);
      if (there === undefined) throw streamDeleted(stream);
      if (there.state.last_seq < last) throw noSuchEvent(last, there.state.last_seq);
      const reader = await retryUntilAnswered(nc, () =>
        manager.consumers.add(stream, {
          name: `reader-${nuid.next()}`,
          filter_subject: subject,
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: last + 1,
          ack_policy: AckPolicy.None,
          inactive_threshold: nanos(forgetReaderMs),
          mem_storage: true,
        }),
      );
      const before = last;
      // A damaged stream skips what it cannot give: then no message says that it is the last.
      const exhausted = new AbortController();
      const onIdle = () => upTo < Number.POSITIVE_INFINITY && exhausted.abort();
      const ending = AbortSignal.any([signal, exhausted.signal]);
      try {
        if (upTo < Number.POSITIVE_INFINITY && reader.num_pending === 0) return;
        for await (const message of readAll(client.consumers.getConsumerFromInfo(reader), ending, onIdle)) {
          last = message.seq;
          yield { seq: message.seq, value: message.json<T>() };
          if (signal.aborted || last >= upTo || (upTo < Number.POSITIVE_INFINITY && message.info.pending === 0)) return;
        }
      } finally {
        manager.consumers.delete(stream, reader.name).catch(() => undefined);
      }
      if (exhausted.signal.aborted) return;
      fruitless = last === before && reader.num_pending > 0 ? fruitless + 1 : 0;
      if (fruitless === patience) throw damagedStream(stream);
      if (!signal.aborted) await sleep(readAgainMs);
    }
  },

  async remove(stream, seq) {
    await retryUntilAnswered(nc, () => manager.streams.deleteMessage(stream, seq));
  },
});

/** How often a stream may give nothing although it counts something, until it counts as damaged. */
const patience = 3;

const damagedStream = (name: string): PlatestreamError =>
  new PlatestreamError(
    "invalid-data",
    `the stream ${name} counts messages that it cannot give: the files of nats-server are damaged; ` +
      "`pipeline repair --bus URL --results DIR...` publishes them again",
  );

const streamDeleted = (stream: string): PlatestreamError =>
  new PlatestreamError(
    "bus-unavailable",
    `the stream ${stream} was deleted; nodes and \`pipeline repair\` make it again, and then it is to be read from the start`,
  );

/** Which message of the stream it is, and who delivered it: the subject that it is settled by says it. */
export const deliveryOf = (message: Msg): { readonly seq: number; readonly consumer: string } => {
  const tokens = message.reply!.split(".");
  // Servers of a domain name it and the account before the stream.
  const [consumer, , seq] = tokens.slice(tokens.length > 9 ? 5 : 3);
  return { seq: Number(seq), consumer: consumer! };
};

/** `onIdle`: there are no more for now. Messages in their order without a gap. Ends when aborted, or when some are missing: the server or its answers were lost. */
async function* readAll(consumer: Consumer, signal: AbortSignal, onIdle: () => void): AsyncGenerator<JsMsg> {
  let delivered = 0;
  let withheld = 0;
  let unreadable: ConsumerInfo | undefined;
  while (!signal.aborted) {
    const messages = await consumer.fetch(reading);
    const stop = () => void messages.close();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      for await (const message of messages) {
        if (signal.aborted || message.info.deliverySequence !== delivered + 1) return;
        delivered += 1;
        yield message;
      }
      // What the server sent as the request ran out is missed by its number, and no message may follow that shows it.
      const received = messages.getReceived();
      if (signal.aborted || received === reading.max_messages) continue;
      const info = await consumer.info();
      if (info.delivered.consumer_seq !== delivered) return;
      withheld = received === 0 && info.num_pending > 0 ? withheld + 1 : 0;
      if (withheld === patience) unreadable = info;
      if (received === 0 && info.num_pending === 0) onIdle();
    } catch {
      return;
    } finally {
      signal.removeEventListener("abort", stop);
      await messages.close();
    }
    if (unreadable !== undefined) throw damagedStream(unreadable.stream_name);
  }
}
