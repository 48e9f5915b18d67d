/** The worker's gRPC server: its own service, the standard health service and reflection. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import type { MethodRules } from "../../common/grpc/guard.ts";
import { guardedServer } from "../../common/grpc/guarded-server.ts";
import { loadProto } from "../../common/grpc/load-proto.ts";
import { openToThisHost, type ServerSecurity } from "../../common/grpc/server-security.ts";
import type { Engine } from "../engine/engine.ts";
import { noModel, type ObserveRequest, openRequests } from "./requests.ts";
import { workerService } from "./service.ts";

export interface ServerOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  /** How long calls that are under way may take at the end, milliseconds. */
  readonly graceMs: number;
  /** Told of every request that was answered. */
  readonly observe: ObserveRequest;
}

const defaultServerOptions: ServerOptions = {
  listen: "127.0.0.1:7411",
  security: openToThisHost,
  graceMs: 20_000,
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

const rules: MethodRules = {
  "/platestream.v1.Worker/Predict": { role: "predict" },
  "/platestream.v1.Worker/PredictStream": { role: "predict", endless: true },
  "/platestream.v1.Worker/Calibrate": { role: "predict" },
  "/platestream.v1.Worker/ListModels": { role: "predict" },
};

/** Serves an engine that is ready. From then on, and until it closes, the health service says SERVING. */
export const startServer = async (engine: Engine, given: Partial<ServerOptions> = {}): Promise<RunningServer> => {
  const options = { ...defaultServerOptions, ...given };
  const { listen, security, observe } = options;
  const { server, listen: bind } = guardedServer({
    listen,
    option: "--listen",
    who: "the worker",
    security,
    rules,
    onRefused: (method, from, error) =>
      observe({ method, from, model: noModel, about: {}, images: 0, milliseconds: 0, error }),
  });
  const definition = loadProto();
  const requests = openRequests(engine, observe);
  server.addService(definition["platestream.v1.Worker"] as ServiceDefinition, workerService(engine, requests));
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, "SERVING" as const])));
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);

  const address = await bind();
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
    address,
    get active() {
      return requests.active;
    },
    close,
  };
};
