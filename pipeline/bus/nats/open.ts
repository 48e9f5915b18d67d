/** Everything of one namespace on a NATS server, opened. */
import type { WorkerDirectory } from "../../workers/directory.ts";
import { type Bucket, openBucket } from "./buckets.ts";
import { type Connected, connectNats, type OnConnection, parseBusUrl } from "./connection.ts";
import { defaultLimits, type Limits } from "./layout.ts";
import type { NodeState } from "./nodes.ts";
import type { ExperimentRecord } from "./records.ts";
import type { BusSecurity } from "./security.ts";
import { openStreams, type Streams } from "./streams.ts";
import { openWorkerDirectory } from "./workers.ts";

/** A node that was silent for so long is gone. */
const nodeForgottenMs = 20_000;

export interface NatsBusParts extends Connected {
  readonly streams: Streams;
  readonly records: Bucket<ExperimentRecord>;
  readonly nodes: Bucket<NodeState>;
  readonly workers: WorkerDirectory;
  close(): Promise<void>;
}

export interface OpenNatsOptions {
  /** `nats://HOST:PORT`, see `parseBusUrl`. */
  readonly url: string;
  readonly security?: BusSecurity;
  /** Shown to operators of the server. */
  readonly name: string;
  readonly onConnection: OnConnection;
  readonly limits?: Partial<Limits>;
}

/** Connects, creates or migrates streams and buckets. Throws "bus-unavailable", "unauthenticated", "permission-denied" or "invalid-config". */
export const openNats = async ({
  url,
  security,
  name,
  onConnection,
  limits,
}: OpenNatsOptions): Promise<NatsBusParts> => {
  const address = parseBusUrl(url);
  const connected = await connectNats(address, name, onConnection, security);
  const { nc } = connected;
  try {
    const streams = await openStreams(connected, address.namespace, { ...defaultLimits, ...limits });
    const records = await openBucket<ExperimentRecord>(nc, streams.names.records, 0);
    const nodes = await openBucket<NodeState>(nc, streams.names.nodes, nodeForgottenMs);
    const workers = await openWorkerDirectory(nc, streams.names);
    return { ...connected, streams, records, nodes, workers, close: () => nc.drain().catch(() => nc.close()) };
  } catch (error) {
    await nc.close();
    throw error;
  }
};
