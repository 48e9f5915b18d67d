/** The gRPC server of results: anybody may follow the events of a store. */
import { Metadata } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import type { OnRefused } from "../../common/grpc/guard.ts";
import { type GrpcService, type RunningServer, type ServerPhases, serve } from "../../common/grpc/serve.ts";
import type { ServerSecurity } from "../../common/grpc/server-security.ts";
import { serviceError } from "../../common/grpc/service-error.ts";
import { signalOf, writeTo } from "../../common/grpc/streams.ts";
import type { ResultsHandlers } from "../../proto/types/platestream/v1/Results.ts";
import { afterHeader, filterOf, toMessage } from "./messages.ts";
import type { EventStore } from "./store.ts";

type Store = Pick<EventStore, "follow" | "last">;

export interface ResultsOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  readonly store: Store;
  readonly onRefused: OnRefused;
}

/** `active`: subscribers. When it closes, streams end by themselves or send their clients to another node. */
export const serveResults = ({ store, ...options }: ResultsOptions): Promise<RunningServer> =>
  serve([resultsService(store)], { ...options, option: "--results-listen", who: "the results service" });

const resultsService = (store: Store): GrpcService => ({
  name: "platestream.v1.Results",
  proto: "results.proto",
  rules: { Subscribe: { role: "subscribe", endless: true } },
  implement: (phases) => {
    const handlers: ResultsHandlers = {
      Subscribe(call) {
        send(call, store, phases).then(
          () => call.end(),
          (error) => call.emit("error", serviceError(error)),
        );
      },
    };
    return handlers;
  },
});

/** One event waits for the subscriber to take those before it; the others stay in the store. */
const send = async (
  call: Parameters<ResultsHandlers["Subscribe"]>[0],
  store: Store,
  { draining, ending }: ServerPhases,
): Promise<void> => {
  if (draining.aborted) throw left();
  const { request } = call;
  const filter = filterOf(request);
  const gone = signalOf(call);
  const signal = AbortSignal.any([gone, ending]);
  const after = request.from === "start" ? 0 : request.from === "after" ? request.after! : await store.last();
  const header = new Metadata();
  header.set(afterHeader, String(after));
  call.sendMetadata(header);
  for await (const event of store.follow(filter, { after, storedOnly: request.stored_only, signal })) {
    await writeTo(call, toMessage(event), signal);
    if (signal.aborted) break;
  }
  if (ending.aborted && !gone.aborted) throw left();
};

const left = (): PlatestreamError =>
  new PlatestreamError(
    "bus-unavailable",
    "this node leaves; subscribe again after the last sequence number, at another one",
  );
