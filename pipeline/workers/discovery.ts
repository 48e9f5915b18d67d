/** A pool of the workers that are in a directory, as they come and go. */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatestreamError } from "../../common/errors.ts";
import { isLoopback } from "../../common/security/listen-address.ts";
import type { Status } from "../run/status.ts";
import type { WorkerDirectory, WorkerEntry } from "./directory.ts";
import { type Accept, defaultPoolOptions, openPool, type PoolOptions, type WorkerPool } from "./pool.ts";
import type { RemoteWorker } from "./remote-worker.ts";

export interface DiscoveryOptions {
  /** May throw where the address must not be used. */
  readonly connect: (address: string) => RemoteWorker;
  readonly onStatus: (status: Status) => void;
  readonly accept: Accept;
  /** How often the directory is read, in milliseconds. */
  readonly everyMs?: number;
  readonly pool?: PoolOptions;
}

interface Known {
  readonly since: string;
  /** Undefined: its address may not be used. */
  readonly worker: RemoteWorker | undefined;
  /** It is no longer in the directory, and is asked whether it is there all the same. */
  asked: boolean;
}

/**
 * Resolves when everybody who is in the directory has answered or failed; there may be nobody.
 *
 * A worker that vanishes from the directory is let go of when it does not answer either: a directory that was out of
 * reach for a while ends nobody's work.
 */
export const discoverWorkers = async (
  directory: WorkerDirectory,
  { connect, onStatus, accept, everyMs = 1_000, pool: options = defaultPoolOptions }: DiscoveryOptions,
): Promise<WorkerPool> => {
  const pool = openPool("changing", onStatus, options, accept);
  const known = new Map<string, Known>();
  const closing = new AbortController();

  const tryConnect = (address: string): RemoteWorker | undefined => {
    try {
      return connect(address);
    } catch (error) {
      onStatus({ type: "worker", address, state: "lost", detail: PlatestreamError.from(error).rawMessage });
      return undefined;
    }
  };
  const letGo = (address: string, { worker }: Known, why: string): void => {
    known.delete(address);
    if (worker !== undefined) pool.drop(worker, why);
  };
  const askVanished = async (address: string, one: Known): Promise<void> => {
    if (one.asked) return;
    one.asked = true;
    const there = one.worker !== undefined && (await pool.answers(one.worker));
    if (!there && one.asked && known.get(address) === one) letGo(address, one, "it left");
    one.asked = false;
  };
  /** Returns the answers of those who are new, as they come. */
  const read = async (): Promise<Promise<void>[]> => {
    const entries = new Map((await directory.all()).filter(inReach).map((entry) => [entry.address, entry]));
    if (closing.signal.aborted) return [];
    for (const [address, one] of known) {
      const entry = entries.get(address);
      if (entry === undefined) void askVanished(address, one);
      else if (entry.since !== one.since) letGo(address, one, "it was started again");
      else one.asked = false;
    }
    const added = [...entries.values()].filter(({ address }) => !known.has(address));
    return added.map(async ({ address, since }) => {
      const worker = tryConnect(address);
      known.set(address, { since, worker, asked: false });
      // The pool reports a failure, and asks again.
      if (worker !== undefined) await pool.add(worker).catch(() => undefined);
    });
  };
  const follow = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await sleep(everyMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      // It fails only where the owner of the connection has closed it.
      await read().catch(() => undefined);
    }
  };

  await Promise.all(await read());
  void follow();
  return {
    ...pool,
    get concurrency() {
      return pool.concurrency;
    },
    async close() {
      closing.abort();
      await pool.close();
    },
  };
};

/** A loopback address of another machine means somebody else here. */
const inReach = ({ address, host }: WorkerEntry): boolean =>
  host === hostname() || !isLoopback(address.replace(/:\d+$/, ""));
