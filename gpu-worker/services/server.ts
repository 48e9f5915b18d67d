/** The worker's gRPC server. To add a service: a folder beside this file, and one line in `services`. */
import { type GrpcService, type RunningServer, serve } from "../../common/grpc/serve.ts";
import { openToThisHost, type ServerSecurity } from "../../common/grpc/server-security.ts";
import { sharedMemoryFolder } from "../../common/shared-memory.ts";
import type { Engine } from "../engine/engine.ts";
import { inferenceCounts } from "./open-inference/counts.ts";
import { openInferenceService } from "./open-inference/service.ts";
import { platestreamService } from "./platestream/service.ts";
import { noModel, nothingReceived, type ObserveRequest, openRequests, type Received } from "./requests.ts";
import type { ServiceParts } from "./service-parts.ts";

export interface ServerOptions extends Pick<ServiceParts, "counts" | "sharedMemory"> {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  /** Called after every request that was answered. */
  readonly observe: ObserveRequest;
}

export interface WorkerServer extends RunningServer {
  /** Pixels that came so far. */
  readonly received: Received;
}

const services: readonly ((parts: ServiceParts) => GrpcService)[] = [platestreamService, openInferenceService];

const defaultServerOptions: Omit<ServerOptions, "counts"> = {
  listen: "127.0.0.1:7411",
  sharedMemory: sharedMemoryFolder,
  security: openToThisHost,
  observe: () => undefined,
};

/** Serves an engine that is ready; `active` counts requests. The engine stays open when the server closes. */
export const startServer = async (engine: Engine, given: Partial<ServerOptions> = {}): Promise<WorkerServer> => {
  const { listen, security, observe, sharedMemory, counts = inferenceCounts() } = { ...defaultServerOptions, ...given };
  const requests = openRequests(engine, observe);
  const mostBytes = security.limits.maxMessageBytes;
  const { address, close } = await serve(
    services.map((service) => service({ engine, requests, counts, sharedMemory, mostBytes })),
    {
      listen,
      option: "--listen",
      who: "the worker",
      security,
      onRefused: (method, from, error) =>
        observe({
          method,
          from,
          model: noModel,
          about: {},
          images: 0,
          received: nothingReceived,
          milliseconds: 0,
          error,
        }),
    },
  );
  return {
    address,
    close,
    get active() {
      return requests.active;
    },
    get received() {
      return requests.received;
    },
  };
};
