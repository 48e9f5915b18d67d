/** A worker's entry on a bus, from which nodes find it. */
import { hostname } from "node:os";
import { PlatestreamError } from "../../common/errors.ts";
import type { Log } from "../../common/observe/log.ts";
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import type { WorkerServer } from "../../gpu-worker/services/server.ts";
import { type BusSecurityOptions, readBusSecurity } from "../../pipeline/bus/nats/security.ts";
import { connectWorkerDirectory } from "../../pipeline/bus/nats/workers.ts";
import { programVersion } from "../../pipeline/results/run-report.ts";
import { type Announcement, announceWorker, type WorkerEntry } from "../../pipeline/workers/directory.ts";

export interface AnnounceOptions extends BusSecurityOptions {
  readonly bus?: string;
  readonly advertise?: string;
}

/** Resolves when nodes can find it, at once without `--bus`. Throws "bus-unavailable" or "invalid-config". */
export const announceOnBus = async (
  options: AnnounceOptions,
  server: WorkerServer,
  engine: Engine,
  log: Log,
): Promise<Announcement> => {
  const { bus, advertise } = options;
  const address = advertisedAddress(server.address, advertise);
  if (bus === undefined) return { close: async () => undefined };
  const onConnection = (state: "lost" | "ready", detail: string) =>
    state === "lost" ? log.warn(detail) : log.info(detail);
  const security = await readBusSecurity(options);
  const name = `platestream worker ${address}`;
  const { directory, close } = await connectWorkerDirectory(bus, name, onConnection, security);
  const fixed = {
    address,
    host: hostname(),
    pid: process.pid,
    models: engine.models().map(({ name, cellType, version, trained }) => ({ name, cellType, version, trained })),
    runtime: engine.device.runtime,
    provider: engine.device.provider,
    refused: engine.device.refused,
    maxBatch: engine.maxBatch,
    since: new Date().toISOString(),
    version: programVersion(),
  };
  const announcement = await announceWorker(
    directory,
    (): WorkerEntry => ({ ...fixed, received: server.received, load: server.active }),
  );
  log.info("announced", { address });
  return {
    async close() {
      await announcement.close();
      await close();
    },
  };
};

/** What nodes connect to: an address that means "any" is this machine's name to others. */
export const advertisedAddress = (listening: string, advertise?: string): string => {
  if (advertise === undefined) return listening.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, hostname());
  if (/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s/]+):\d{1,5}$/.test(advertise)) return advertise;
  throw new PlatestreamError(
    "invalid-config",
    `--advertise is the HOST:PORT under which nodes reach the worker, for instance gpu1:7411, not "${advertise}"`,
  );
};
