/** What is done with the streams of a namespace. */
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
} from "@nats-io/jetstream";
import { lastValueFrom, range, toArray } from "rxjs";
import { mapOrdered } from "../../../common/concurrency.ts";
import {
  answerMs,
  type Connected,
  isNoResponse,
  type Msg,
  type NatsConnection,
  nanos,
  retryUntilAnswered,
} from "./connection.ts";
import { type FollowOptions, followStream } from "./follow.ts";
import { codeOf, consumerNotFound, noMessage, openManager, streamNotFound, wrongLastSequence } from "./jetstream.ts";
import { type Limits, layOutStreams } from "./layout.ts";
import { type Names, namesIn } from "./names.ts";

export type Published = "stored" | "duplicate" | "conflict";

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
   * the server counts messages that it cannot give, and "invalid-request" where its numbers have fallen or are
   * given again.
   */
  follow<T>(stream: string, options: FollowOptions): AsyncGenerator<{ readonly seq: number; readonly value: T }>;
  remove(stream: string, seq: number): Promise<void>;
}

/** Opens the streams of a namespace: creates what is missing and migrates what an earlier version made. */
export const openStreams = async ({ nc, serverIs }: Connected, namespace: string, limits: Limits): Promise<Streams> => {
  const names = namesIn(namespace);
  const manager = await openManager(nc);
  const layOut = () => layOutStreams(nc, manager, { names, limits, compress: serverIs("2.10") });
  await layOut();
  return streamsOn(nc, manager, jetstream(nc, { timeout: answerMs }), { names, limits, layOut });
};

const readsAtATime = 64;

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
        if (isNoResponse(error)) {
          await layOut();
          await this.openConsumers([cellType]);
          // One that has delivered what the queue has lost tries to deliver it again, and answers nobody.
          const { delivered } = await manager.consumers.info(names.queue, names.consumer(cellType));
          const { state } = await manager.streams.info(names.queue);
          if (delivered.stream_seq > state.last_seq) await this.restartConsumer(cellType);
        }
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

  follow: (stream, options) => followStream({ nc, manager, client }, stream, options),

  async remove(stream, seq) {
    await retryUntilAnswered(nc, () => manager.streams.deleteMessage(stream, seq));
  },
});

/** Which message of the stream it is, and who delivered it: the subject that it is settled by says it. */
export const deliveryOf = (message: Msg): { readonly seq: number; readonly consumer: string } => {
  const tokens = message.reply!.split(".");
  // Servers of a domain name it and the account before the stream.
  const [consumer, , seq] = tokens.slice(tokens.length > 9 ? 5 : 3);
  return { seq: Number(seq), consumer: consumer! };
};
