/** The gRPC server of results: anybody may follow the events of a store. */
import { once } from "node:events";
import { Metadata, type ServerWritableStream } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { PlatestreamError } from "../../common/errors.ts";
import type { OnRefused } from "../../common/grpc/guard.ts";
import { guardedServer } from "../../common/grpc/guarded-server.ts";
import type { ServerSecurity } from "../../common/grpc/server-security.ts";
import { serviceError } from "../../common/grpc/service-error.ts";
import {
  afterHeader,
  filterOf,
  loadResults,
  type ResultEvent,
  type SubscribeRequest,
  service,
  toMessage,
} from "./messages.ts";
import type { EventStore } from "./store.ts";

export interface ResultsOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  readonly store: Pick<EventStore, "follow" | "last">;
  readonly onRefused: OnRefused;
}

export interface ResultsServer {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Subscribers that are there. */
  readonly subscribers: number;
  /** Waits for streams that end by themselves, tells the others after a while to subscribe again elsewhere, and ends. */
  close(graceMs: number): Promise<void>;
}

/** How long the last messages may take to leave. */
const flushMs = 1_000;

type Subscription = ServerWritableStream<SubscribeRequest, ResultEvent>;

/** Throws "invalid-config" when it cannot listen, or must not. */
export const serveResults = async ({ listen, security, store, onRefused }: ResultsOptions): Promise<ResultsServer> => {
  const rules = { [`/${service}/Subscribe`]: { role: "subscribe", endless: true } } as const;
  const told = { listen, option: "--results-listen", who: "the results service", security, rules, onRefused };
  const { server, listen: bind } = guardedServer(told);
  const { definition, service: methods } = loadResults();
  const leaving = new AbortController();
  let subscribers = 0;
  server.addService(methods, {
    Subscribe(call: Subscription) {
      subscribers += 1;
      send(call, store, leaving.signal)
        .then(
          () => call.end(),
          (error) => call.emit("error", serviceError(error)),
        )
        .finally(() => {
          subscribers -= 1;
        });
    },
  });
  const health = new HealthImplementation({ "": "SERVING", [service]: "SERVING" });
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);
  const address = await bind();
  return {
    address,
    get subscribers() {
      return subscribers;
    },
    close: (graceMs) =>
      new Promise((resolve) => {
        const late = setTimeout(() => {
          leaving.abort();
          setTimeout(() => server.forceShutdown(), flushMs).unref();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
};

/** One event waits for the subscriber to take those before it; the others stay in the store. */
const send = async (call: Subscription, store: ResultsOptions["store"], leaving: AbortSignal): Promise<void> => {
  const { request } = call;
  const filter = filterOf(request);
  const gone = new AbortController();
  const leave = () => gone.abort();
  for (const event of ["cancelled", "close", "error"]) call.on(event, leave);
  const signal = AbortSignal.any([gone.signal, leaving]);

  const after = request.start != null ? 0 : (request.after ?? (await store.last()));
  const header = new Metadata();
  header.set(afterHeader, String(after));
  call.sendMetadata(header);
  for await (const event of store.follow(filter, { after, storedOnly: request.stored_only ?? false, signal })) {
    if (!call.write(toMessage(event))) await once(call, "drain", { signal }).catch(() => undefined);
    if (signal.aborted) break;
  }
  if (leaving.aborted && !gone.signal.aborted) throw left();
};

const left = (): PlatestreamError =>
  new PlatestreamError(
    "bus-unavailable",
    "this node leaves; subscribe again after the last sequence number, at another one",
  );
