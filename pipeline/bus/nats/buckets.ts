/** What is known of every experiment and node, by key: the only file that knows the client's key-value API. */
import { jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { from, lastValueFrom, toArray } from "rxjs";
import { mapUnordered } from "../../../common/concurrency.ts";
import { answerMs, isNoResponse, type NatsConnection, retryUntilAnswered } from "./connection.ts";
import { token } from "./names.ts";

export interface Bucket<T> {
  get(key: string): Promise<{ readonly value: T; readonly revision: number } | undefined>;
  all(): Promise<readonly T[]>;
  put(key: string, value: T): Promise<void>;
  /** False where somebody changed it since `revision`; 0: where it exists. */
  replace(key: string, value: T, revision: number): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** Reads, changes and writes until nobody came between; a change to undefined leaves it as it is. */
  change(key: string, change: (value: T | undefined) => T | undefined): Promise<void>;
}

const readsAtATime = 64;

/** `forgetMs`: entries vanish when they were not written for so long; 0: never. */
export const openBucket = async <T>(nc: NatsConnection, name: string, forgetMs: number): Promise<Bucket<T>> => {
  const options = { history: 1, timeout: answerMs, ...(forgetMs > 0 ? { ttl: forgetMs } : {}) };
  const open = (): Promise<KV> => retryUntilAnswered(nc, () => new Kvm(nc).create(name, options));
  const kv = await open();
  const manager = await jetstreamManager(nc, { timeout: answerMs, checkAPI: false });

  // A reader of the bucket as a stream sees an entry twice that is written meanwhile, and may never come to the end.
  const keys = async (): Promise<string[]> => {
    const prefix = `$KV.${name}.`;
    const all = { subjects_filter: `${prefix}>` };
    const { state } = await retryUntilAnswered(nc, () =>
      manager.streams.info(`KV_${name}`, all).catch((error: unknown) => {
        if (isDeleted(error)) return open().then(() => manager.streams.info(`KV_${name}`, all));
        throw error;
      }),
    );
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
  };
  const read = async (subject: string) => {
    const entry = await retryUntilAnswered(nc, () => kv.get(subject).catch(openAgain));
    if (entry === null || entry.operation !== "PUT") return undefined;
    return { value: entry.json<T>(), revision: entry.revision };
  };

  /** Somebody may have deleted the bucket: then nobody is there to answer. */
  const openAgain = async (error: unknown): Promise<never> => {
    if (isNoResponse(error)) await open();
    throw error;
  };

  const bucket: Bucket<T> = {
    get: (key) => read(token(key)),
    async all() {
      const values = from(await keys()).pipe(mapUnordered(readsAtATime, read), toArray());
      return (await lastValueFrom(values)).flatMap((found) => (found === undefined ? [] : [found.value]));
    },
    async put(key, value) {
      await retryUntilAnswered(nc, () => kv.put(token(key), JSON.stringify(value)).catch(openAgain));
    },
    async replace(key, value, revision) {
      try {
        await retryUntilAnswered(nc, () =>
          kv.put(token(key), JSON.stringify(value), { previousSeq: revision }).catch(openAgain),
        );
        return true;
      } catch (error) {
        if (isConflict(error)) return false;
        throw error;
      }
    },
    async remove(key) {
      await retryUntilAnswered(nc, () => kv.purge(token(key)));
    },
    async change(key, change) {
      for (;;) {
        const there = await bucket.get(key);
        const next = change(there?.value);
        if (next === undefined || (await bucket.replace(key, next, there?.revision ?? 0))) return;
      }
    },
  };
  return bucket;
};

const isDeleted = (error: unknown): boolean => (error as { code?: unknown }).code === 10059;

/** The server's "wrong last sequence". A repeated write whose first answer was lost gets it as well, and reads anew. */
const isConflict = (error: unknown): boolean => (error as { code?: unknown }).code === 10071;
