/** The workers of a run: those at the given addresses, one of its own, or those that are in a directory. */
import { resolve } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { type ClientSecurity, plain } from "../../common/grpc/client-security.ts";
import type { Log } from "../../common/observe/log.ts";
import { sharedMemoryFolder } from "../../common/shared-memory.ts";
import type { RunConfig } from "../../pipeline/config.ts";
import type { Status } from "../../pipeline/run/status.ts";
import type { WorkerDirectory } from "../../pipeline/workers/directory.ts";
import { discoverWorkers } from "../../pipeline/workers/discovery.ts";
import { defaultLocalWorker, startLocalWorker } from "../../pipeline/workers/local-worker.ts";
import { type ObserveSent, observedWorker } from "../../pipeline/workers/observed-worker.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { type Accept, type WorkerPool, workerPool } from "../../pipeline/workers/pool.ts";
import { openWorker } from "../../pipeline/workers/protocols.ts";

export type OpenWorkers = WorkerPool;

/** Where workers are looked for when the configuration names none. */
export interface Lookup {
  readonly directory: WorkerDirectory;
  readonly accept: Accept;
}

/** Gets every request to a worker, and the log lines of a worker that this process starts. */
export interface Watch {
  readonly observe: ObserveSent;
  readonly log: Log | undefined;
}

const nobody: Watch = { observe: () => () => undefined, log: undefined };

export const openWorkers = async (
  { workers, model, connectionsPerWorker: connections, sharedMemory: shared }: RunConfig,
  onStatus: (status: Status) => void,
  security: ClientSecurity = plain,
  lookup?: Lookup,
  { observe, log }: Watch = nobody,
): Promise<OpenWorkers> => {
  const sharedMemory = shared ? sharedMemoryFolder : undefined;
  const connect = (address: string) =>
    observedWorker(openWorker(address, { security, connections, sharedMemory }), observe);
  if (workers.length > 0) return workerPool(workers.map(connect), onStatus);
  if (model === undefined && lookup !== undefined) {
    return discoverWorkers(lookup.directory, { connect, onStatus, accept: lookup.accept });
  }
  if (model === undefined) {
    throw new PlatestreamError(
      "invalid-config",
      "a run needs a bundle (--model DIR) or workers that hold one (--worker HOST:PORT); `pipeline model new` makes an untrained bundle",
    );
  }
  const level = log === undefined ? "error" : log.level;
  const local = await startLocalWorker(resolve(model), onStatus, {
    ...defaultLocalWorker,
    command: [...defaultLocalWorker.command, "--log-format", "json", "--log-level", level],
    onLog: ({ level, message, time: _, ...fields }) => log?.[level](message, fields),
  });
  const pool = await workerPool(
    [observedWorker(platestreamWorker(local.address, { connections, sharedMemory }), observe)],
    onStatus,
  );
  return {
    ...pool,
    get concurrency() {
      return pool.concurrency; // changes as workers come and go
    },
    async close() {
      await pool.close();
      await local.close();
    },
  };
};
