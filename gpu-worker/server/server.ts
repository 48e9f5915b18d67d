/** The worker's gRPC server: its own service, the standard health service and reflection. */
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { PlatestreamError } from "../../proto/errors.ts";
import { loadProto } from "../../proto/load.ts";
import type { Engine } from "../engine/engine.ts";
import { type ObserveRequest, openRequests } from "./requests.ts";
import { workerService } from "./service.ts";

export interface ServerOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  /** Other hosts may connect, unencrypted and unasked. */
  readonly insecureListen: boolean;
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** How long calls that are under way may take at the end, milliseconds. */
  readonly graceMs: number;
  /** Told of every request that was answered. */
  readonly observe: ObserveRequest;
}

export const defaultServerOptions: ServerOptions = {
  listen: "127.0.0.1:7411",
  insecureListen: false,
  maxMessageBytes: 256 * 2 ** 20,
  graceMs: 25_000,
  observe: () => undefined,
};

export interface RunningServer {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Requests under way. */
  readonly active: number;
  /** Refuses requests, is NOT_SERVING, finishes what is under way, and ends; says what it cut off. The engine stays open. */
  close(): Promise<{ readonly unfinished: number }>;
}

/** How long the last answers may take to leave. */
const flushMs = 2_000;

const services = ["", "platestream.v1.Worker"];

/** Serves an engine that is ready. From then on, and until it closes, the health service says SERVING. */
export const startServer = async (engine: Engine, given: Partial<ServerOptions> = {}): Promise<RunningServer> => {
  const options = { ...defaultServerOptions, ...given };
  const { host, port } = checkAddress(options);
  const definition = loadProto();
  const requests = openRequests(engine, options.observe);
  const server = new Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": options.maxMessageBytes,
  });
  server.addService(definition["platestream.v1.Worker"] as ServiceDefinition, workerService(engine, requests));
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, "SERVING" as const])));
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);

  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, actual) => {
      if (error === null) return resolve(actual);
      reject(
        new PlatestreamError(
          "invalid-config",
          `the worker cannot listen on ${options.listen}: ${error.message}; port 0 takes any that is free`,
          { cause: error },
        ),
      );
    });
  });

  const close = async (): Promise<{ unfinished: number }> => {
    for (const name of services) health.setStatus(name, "NOT_SERVING");
    const late = new AbortController();
    await Promise.race([
      requests.drain(),
      sleep(options.graceMs, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    const unfinished = requests.active;
    const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    // Answers are still on their way; health watchers and idle streams never end by themselves.
    const timer = setTimeout(() => server.forceShutdown(), unfinished > 0 ? 0 : flushMs);
    await ended;
    clearTimeout(timer);
    return { unfinished };
  };
  return {
    address: `${host}:${bound}`,
    get active() {
      return requests.active;
    },
    close,
  };
};

const checkAddress = ({ listen, insecureListen }: ServerOptions): { host: string; port: string } => {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new PlatestreamError("invalid-config", `--listen is HOST:PORT, for instance 127.0.0.1:7411, not "${listen}"`);
  }
  const loopback = host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
  if (!loopback && !insecureListen) {
    throw new PlatestreamError(
      "invalid-config",
      `--listen ${listen} would let other hosts in, and a worker neither encrypts nor asks who is there: ` +
        "listen on 127.0.0.1 behind a tunnel or a proxy, or say --insecure-listen in a network that you trust",
    );
  }
  return { host, port };
};
