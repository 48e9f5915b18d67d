/** The directory of workers on a NATS server: a bucket whose entries the server forgets. */
import { z } from "zod";
import { type WorkerDirectory, type WorkerEntry, workerForgottenMs } from "../../workers/directory.ts";
import { openBucket } from "./buckets.ts";
import { connectNats, type NatsConnection, type OnConnection, parseBusUrl } from "./connection.ts";
import { openManager } from "./jetstream.ts";
import { type Names, namesIn } from "./names.ts";
import type { BusSecurity } from "./security.ts";

const entrySchema = z.object({
  address: z.string(),
  host: z.string(),
  pid: z.number(),
  models: z.array(z.object({ name: z.string(), cellType: z.string(), version: z.string(), trained: z.boolean() })),
  runtime: z.string(),
  provider: z.string(),
  maxBatch: z.number(),
  load: z.number(),
  since: z.string(),
  version: z.string(),
}) satisfies z.ZodType<WorkerEntry>;

/** `forgetMs` counts when the bucket is made, by whoever comes first. Entries that are none are passed over. */
export const openWorkerDirectory = async (
  nc: NatsConnection,
  names: Names,
  forgetMs: number = workerForgottenMs,
): Promise<WorkerDirectory> => {
  const bucket = await openBucket<WorkerEntry>(nc, names.workers, forgetMs);
  return {
    put: bucket.put,
    remove: bucket.remove,
    all: async () => (await bucket.all()).filter((entry) => entrySchema.safeParse(entry).success),
  };
};

export interface ConnectedDirectory {
  readonly directory: WorkerDirectory;
  close(): Promise<void>;
}

/** Connects to the directory and nothing else: all that a worker needs of a bus. Throws "bus-unavailable" or "invalid-config". */
export const connectWorkerDirectory = async (
  url: string,
  name: string,
  onConnection: OnConnection,
  security: BusSecurity = {},
): Promise<ConnectedDirectory> => {
  const address = parseBusUrl(url);
  const { nc } = await connectNats(address, name, onConnection, security);
  try {
    await openManager(nc);
    const directory = await openWorkerDirectory(nc, namesIn(address.namespace));
    // Draining waits for a server that is gone.
    return { directory, close: () => nc.close() };
  } catch (error) {
    await nc.close();
    throw error;
  }
};
