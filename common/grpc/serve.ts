/** The one gRPC server of this project: any list of services behind one guard, with health, reflection and draining. */
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import { PlatestreamError } from "../errors.ts";
import { hostAndPort, type ListenRule, listenAddress } from "../security/listen-address.ts";
import { type MethodRule, type MethodRules, type OnRefused, openGuard } from "./guard.ts";
import { loadProtos } from "./protos.ts";
import { readable } from "./readable.ts";
import type { ServerSecurity } from "./server-security.ts";

/** A service that a server can be given. `Handlers` is the generated type of its methods. */
export interface GrpcService {
  /** With its package, for instance `platestream.v1.Worker`. */
  readonly name: string;
  /** File in `proto/`. */
  readonly proto: string;
  /** What each of its methods asks of its callers. */
  readonly rules: Readonly<Record<string, MethodRule>>;
  readonly implement: (phases: ServerPhases) => UntypedServiceImplementation;
}

/** How a server ends. */
export interface ServerPhases {
  /** Aborted when the server is to end: calls in progress may finish, others are refused. */
  readonly draining: AbortSignal;
  /** Aborted when calls had the time to finish: those that are left must end now. */
  readonly ending: AbortSignal;
}

export interface ServeOptions extends Pick<ListenRule, "option" | "who"> {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  readonly onRefused: OnRefused;
}

export interface RunningServer {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Calls of its services that are under way. */
  readonly active: number;
  /** Is NOT_SERVING, lets calls finish for so long, and ends; says how many it cut off. */
  close(graceMs: number): Promise<{ readonly unfinished: number }>;
}

/**
 * Clients are asked whether they are there. One that was stopped, or whose network is gone, would hold its calls for
 * ever; and Node before release 22 keeps the socket of a connection that broke HTTP/2's rules until it is asked.
 */
const keepalive = { "grpc.keepalive_time_ms": 5_000, "grpc.keepalive_timeout_ms": 20_000 };

/** How long the last answers may take to leave. */
const flushMs = 2_000;

/**
 * Serves from now on, and is SERVING until it is closed.
 *
 * @throws PlatestreamError `invalid-config` when it cannot listen there, or must not: see `listenAddress`
 */
export const serve = async (
  services: readonly GrpcService[],
  { listen, option, who, security, onRefused }: ServeOptions,
): Promise<RunningServer> => {
  const { credentials, encrypted, insecure, limits } = security;
  const { host, port } = listenAddress(listen, { option, who, encrypted, insecure });
  const draining = new AbortController();
  const ending = new AbortController();
  const guard = openGuard(security, rulesOf(services), onRefused);
  const server = new Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxStreams,
    ...keepalive,
    interceptors: [guard.interceptor],
  });
  const definition = loadProtos(...new Set(services.map(({ proto }) => proto)), healthProto);
  for (const { name, implement } of services) {
    const phases = { draining: draining.signal, ending: ending.signal };
    server.addService(readable(definition[name] as ServiceDefinition), implement(phases));
  }
  const names = ["", ...services.map(({ name }) => name)];
  const health = new HealthImplementation(Object.fromEntries(names.map((name) => [name, "SERVING" as const])));
  health.addToServer({ addService: (service, handlers) => server.addService(readable(service), handlers) } as Server);
  new ReflectionService(definition).addToServer(server);

  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(hostAndPort(host, port), credentials, (cause, real) =>
      cause === null
        ? resolve(real)
        : reject(
            new PlatestreamError(
              "invalid-config",
              `${who} cannot listen on ${listen}: ${cause.message}; ${option} ${hostAndPort(host, 0)} takes any port that is free`,
              { cause },
            ),
          ),
    );
  });
  return {
    address: hostAndPort(host, bound),
    get active() {
      return guard.active;
    },
    async close(graceMs) {
      for (const name of names) health.setStatus(name, "NOT_SERVING");
      draining.abort();
      const late = new AbortController();
      const inTime = sleep(graceMs, undefined, { signal: late.signal }).catch(() => undefined);
      await Promise.race([guard.idle(), inTime]);
      late.abort();
      const unfinished = guard.active;
      ending.abort();
      await new Promise<void>((resolve) => {
        // Answers are still on their way; those who watch the health never leave by themselves.
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, flushMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      return { unfinished };
    },
  };
};

const rulesOf = (services: readonly GrpcService[]): MethodRules =>
  Object.fromEntries(
    services.flatMap(({ name, rules }) =>
      Object.entries(rules).map(([method, rule]) => [`/${name}/${method}`, rule] as const),
    ),
  );
