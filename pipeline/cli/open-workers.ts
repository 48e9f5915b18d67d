/** The workers of a run: those at the given addresses, or one of its own. */
import { resolve } from "node:path";
import { PlatestreamError } from "../../proto/errors.ts";
import type { RunConfig } from "../config.ts";
import type { Workers } from "../plugin.ts";
import type { Status } from "../status.ts";
import { grpcWorker } from "../workers/grpc-worker.ts";
import { startLocalWorker } from "../workers/local-worker.ts";
import { workerPool } from "../workers/pool.ts";

export interface OpenWorkers extends Workers {
  close(): Promise<void>;
}

export const openWorkers = async (
  { workers, model }: RunConfig,
  onStatus: (status: Status) => void,
): Promise<OpenWorkers> => {
  if (workers.length === 0 && model === undefined) {
    throw new PlatestreamError(
      "invalid-config",
      "a run needs a bundle (--model DIR) or workers that hold one (--worker HOST:PORT); `pipeline model new` makes an untrained bundle",
    );
  }
  if (workers.length > 0)
    return workerPool(
      workers.map((address) => grpcWorker(address)),
      onStatus,
    );
  const local = await startLocalWorker(resolve(model!), onStatus);
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
