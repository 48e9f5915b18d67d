/** Follows the results of a node or a run, through lost connections. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import type { ClientSecurity } from "../../common/grpc/client-security.ts";
import { clientOf } from "../../common/grpc/protos.ts";
import { errorOfService } from "../../common/grpc/service-error.ts";
import type { ResultEvent__Output } from "../../proto/types/platestream/v1/ResultEvent.ts";
import type { ResultsClient } from "../../proto/types/platestream/v1/Results.ts";
import type { SubscribeRequest } from "../../proto/types/platestream/v1/SubscribeRequest.ts";
import type { EventFilter, Numbered } from "./event.ts";
import { afterHeader, fromMessage } from "./messages.ts";

export interface SubscribeOptions {
  readonly from: "now" | "start" | number;
  /** End when everything that is stored by now was read. */
  readonly storedOnly: boolean;
  /** How long a server that was reached once may be away: a run that has ended meanwhile says nothing more. */
  readonly giveUpMs: number;
  readonly signal: AbortSignal;
  /** The connection was lost, and is tried again. */
  readonly onLost: (why: string) => void;
}

const againMs = 1_000;

/**
 * Every event that fits once, in order. Ends when aborted or when there will be no more. A server that was reached once
 * and is lost is tried again for a while, after the last event; one that was never reached, or does not come back, throws
 * "bus-unavailable", and a server that refuses throws what it says.
 */
export async function* subscribe(
  address: string,
  security: ClientSecurity,
  filter: EventFilter,
  { from, storedOnly, giveUpMs, signal, onLost }: SubscribeOptions,
): AsyncGenerator<Numbered> {
  const { credentials, interceptors } = security.toServer(address);
  const Client = clientOf<ResultsClient>("results.proto", "platestream.v1.Results");
  const options = {
    interceptors,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
  };
  const client = new Client(address, credentials, options);
  let place: SubscribeRequest = from === "now" ? { now: {} } : from === "start" ? { start: {} } : { after: from };
  let reached = false;
  let lostAt: number | undefined;
  try {
    while (!signal.aborted) {
      const stream = client.subscribe({ ...filterMessage(filter), ...place, stored_only: storedOnly });
      stream.on("metadata", (header: Metadata) => {
        reached = true;
        lostAt = undefined;
        const [after] = header.get(afterHeader);
        if (after !== undefined && !("after" in place)) place = { after: Number(after) };
      });
      stream.on("error", () => undefined); // thrown by the loop below, unless it was left
      const stop = () => stream.cancel();
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      try {
        for await (const message of stream) {
          const event = fromMessage(message as ResultEvent__Output);
          place = { after: event.seq };
          yield event;
        }
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        const error = errorOfService(`results service ${address}`, thrown as ServiceError, "bus-unavailable");
        if (!reached || (thrown as ServiceError).code !== status.UNAVAILABLE) throw error;
        lostAt ??= performance.now();
        if (performance.now() - lostAt > giveUpMs) throw gone(error, giveUpMs, place);
        onLost(error.rawMessage);
        await sleep(againMs, undefined, { signal }).catch(() => undefined);
      } finally {
        signal.removeEventListener("abort", stop);
        stream.cancel();
      }
    }
  } finally {
    client.close();
  }
}

const gone = ({ rawMessage, cause }: PlatestreamError, ms: number, { after }: SubscribeRequest): PlatestreamError => {
  const rest = after === undefined ? "" : `, and what comes after event ${after} stands in its folder`;
  return new PlatestreamError(
    "bus-unavailable",
    `${rawMessage}; it has not come back for ${ms / 1000} s: perhaps the run is over${rest} (pipeline results --run DIR${after === undefined ? "" : ` --from ${after}`})`,
    { cause },
  );
};

const filterMessage = ({
  experiments = [],
  cellTypes = [],
  plates = [],
  kinds = [],
}: EventFilter): SubscribeRequest => ({
  experiments: [...experiments],
  cell_types: [...cellTypes],
  plates: [...plates],
  kinds: [...kinds],
});
