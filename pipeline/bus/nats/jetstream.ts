/** The server's JetStream, and what it answers. */
import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { PlatestreamError } from "../../../common/errors.ts";
import { answerMs, type NatsConnection, retryUntilAnswered } from "./connection.ts";

/** The server's JetStream. Throws "bus-unavailable" where it has none. */
export const openManager = (nc: NatsConnection): Promise<JetStreamManager> => {
  const open = () => jetstreamManager(nc, { timeout: answerMs });
  // A server that has just started may take a moment; one without JetStream never gets there.
  const again = () => sleep(startingMs).then(open);
  return open()
    .catch(again)
    .catch((cause: Error) => {
      throw new PlatestreamError(
        "bus-unavailable",
        `the NATS server at ${nc.getServer()} must have JetStream (${cause.message}); start it with \`nats-server --jetstream --store_dir DIR\``,
        { cause },
      );
    });
};

const startingMs = 2_000;

/** Undefined: there is no such stream. */
export const findStream = (nc: NatsConnection, manager: JetStreamManager, name: string) =>
  retryUntilAnswered(nc, () => manager.streams.info(name)).catch((error: unknown) => {
    if (codeOf(error) === streamNotFound) return undefined;
    throw error;
  });

export const streamNotFound = 10059;
export const streamNameInUse = 10058;
export const consumerNotFound = 10014;
export const wrongLastSequence = 10071;
export const noMessage = 10037;

export const codeOf = (error: unknown): number | undefined =>
  error instanceof JetStreamApiError ? error.code : undefined;
