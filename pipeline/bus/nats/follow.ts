/** Reads a stream in order, through lost servers, and says when it cannot be read. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  type Consumer,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from "@nats-io/jetstream";
import { PlatestreamError } from "../../../common/errors.ts";
import { begunAnew, noSuchEvent } from "../../events/store.ts";
import { type NatsConnection, nanos, nuid, retryUntilAnswered } from "./connection.ts";
import { findStream } from "./jetstream.ts";

export interface FollowOptions {
  readonly subject: string;
  readonly after: number;
  /** End when everything up to this number was read; absent: never. */
  readonly upTo?: number;
  readonly signal: AbortSignal;
}

interface Access {
  readonly nc: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
}

/** What a reader asks for at a time; it asks again when it has read that, so a slow one holds no more. */
const reading = { max_messages: 200, expires: 3_000, idle_heartbeat: 1_000 };
const forgetReaderMs = 300_000;
const readAgainMs = 200;

export async function* followStream<T>(
  { nc, manager, client }: Access,
  stream: string,
  { subject, after, upTo = Number.POSITIVE_INFINITY, signal }: FollowOptions,
): AsyncGenerator<{ readonly seq: number; readonly value: T }> {
  let last = after;
  let fruitless = 0;
  let created: string | undefined;
  while (!signal.aborted) {
    // Numbers that fall are those of a store that was rolled back or made anew: what comes may have been seen, or not.
    const there = await findStream(nc, manager, stream);
    if (there === undefined) throw streamDeleted(stream);
    if (there.state.last_seq < last) throw noSuchEvent(last, there.state.last_seq);
    created ??= there.created;
    if (there.created !== created && there.state.first_seq <= last) throw begunAnew(last);
    created = there.created;
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
    if (fruitless === fruitlessRounds) throw damagedStream(stream);
    if (!signal.aborted) await sleep(readAgainMs);
  }
}

/** How often a stream may give nothing although it counts something, until it counts as damaged. */
const patience = 3;
/** A server that is killed again and again gives nothing, too. */
const fruitlessRounds = 10;

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

/**
 * Messages in their order without a gap. Ends when aborted, or when some are missing: the server or its answers were lost.
 * `onIdle`: there are no more for now.
 */
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
