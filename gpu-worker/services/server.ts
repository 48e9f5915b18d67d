/** The worker's gRPC server. To add a service: a folder beside this file, and one line in `services`. */
import { type GrpcService, type RunningServer, serve } from "../../common/grpc/serve.ts";
import { openToThisHost, type ServerSecurity } from "../../common/grpc/server-security.ts";
import type { Engine } from "../engine/engine.ts";
import { type InferenceCounts, inferenceCounts } from "./open-inference/counts.ts";
import { openInferenceService } from "./open-inference/service.ts";
import { platestreamService } from "./platestream/service.ts";
import { noModel, type ObserveRequest, openRequests, type Requests } from "./requests.ts";

export interface ServerOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  /** Called after every request that was answered. */
  readonly observe: ObserveRequest;
  /** Gets every run of a network from whoever opened the engine. */
  readonly counts: InferenceCounts;
}

const services: readonly ((engine: Engine, requests: Requests, counts: InferenceCounts) => GrpcService)[] = [
  platestreamService,
  openInferenceService,
];

const defaultServerOptions: Omit<ServerOptions, "counts"> = {
  listen: "127.0.0.1:7411",
  security: openToThisHost,
  observe: () => undefined,
};

/** Serves an engine that is ready; `active` counts requests. The engine stays open when the server closes. */
export const startServer = async (engine: Engine, given: Partial<ServerOptions> = {}): Promise<RunningServer> => {
  const { listen, security, observe, counts = inferenceCounts() } = { ...defaultServerOptions, ...given };
  const requests = openRequests(engine, observe);
  const { address, close } = await serve(
    services.map((service) => service(engine, requests, counts)),
    {
      listen,
      option: "--listen",
      who: "the worker",
      security,
      onRefused: (method, from, error) =>
        observe({ method, from, model: noModel, about: {}, images: 0, milliseconds: 0, error }),
    },
  );
  return {
    address,
    close,
    get active() {
      return requests.active;
    },
  };
};
