/** The workers of a run: those at the given addresses, one of its own, or those that are in a directory. */
import { resolve } from "node:path";
import { PlatestreamError } from "../../proto/errors.ts";
import { type ClientSecurity, plain } from "../../proto/security/client-security.ts";
import type { RunConfig } from "../config.ts";
import type { Status } from "../status.ts";
import type { WorkerDirectory } from "../workers/directory.ts";
import { discoverWorkers } from "../workers/discovery.ts";
import { grpcWorker } from "../workers/grpc-worker.ts";
import { startLocalWorker } from "../workers/local-worker.ts";
import { type Accept, type WorkerPool, workerPool } from "../workers/pool.ts";

export type OpenWorkers = WorkerPool;

/** Where workers are looked for when the configuration names none. */
export interface Lookup {
  readonly directory: WorkerDirectory;
  readonly accept: Accept;
}

export const openWorkers = async (
  { workers, model }: RunConfig,
  onStatus: (status: Status) => void,
  security: ClientSecurity = plain,
  lookup?: Lookup,
): Promise<OpenWorkers> => {
  const connect = (address: string) => grpcWorker(address, security);
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
  const local = await startLocalWorker(resolve(model), onStatus);
  const pool = await workerPool([grpcWorker(local.address)], onStatus);
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
