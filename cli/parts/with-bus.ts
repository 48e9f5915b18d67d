/** A short connection to a bus, for commands that look at it or change it. */
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import { type BusSecurityOptions, readBusSecurity } from "../../pipeline/bus/nats/security.ts";

export interface BusOptions extends BusSecurityOptions {
  /** URL of its NATS server. */
  readonly bus: string;
  /** Servers of a cluster that keep everything, where that is to change. */
  readonly busReplicas?: number | undefined;
}

export const withBus = async <T>(options: BusOptions, use: (parts: NatsBusParts) => Promise<T>): Promise<T> => {
  const parts = await openNats({
    url: options.bus,
    security: await readBusSecurity(options),
    name: "platestream command line",
    limits: { replicas: options.busReplicas },
    onConnection: (_, detail) => void process.stderr.write(`${detail}\n`),
  });
  try {
    return await use(parts);
  } finally {
    await parts.close();
  }
};
