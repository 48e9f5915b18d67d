/** The gateway's gRPC server: submissions, the standard health service and reflection. */
import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import type { OnRefused } from "../../common/grpc/guard.ts";
import { guardedServer } from "../../common/grpc/guarded-server.ts";
import type { ServerSecurity } from "../../common/grpc/server-security.ts";
import { serviceError } from "../../common/grpc/service-error.ts";
import { loadSubmissions, type SubmitRequest, type SubmitResponse } from "./messages.ts";

export interface SubmissionsOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  /** Throws `PlatestreamError`s. */
  readonly submit: (request: SubmitRequest) => Promise<SubmitResponse>;
  readonly onRefused: OnRefused;
}

export interface SubmissionsServer {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Takes no more calls, answers those that are under way, and ends. */
  close(): Promise<void>;
}

/** How long calls that are under way may take at the end. */
const graceMs = 5_000;

/** Throws "invalid-config" when it cannot listen, or must not. */
export const serveSubmissions = async (options: SubmissionsOptions): Promise<SubmissionsServer> => {
  const { listen, security, submit, onRefused } = options;
  const rules = { "/platestream.v1.Submissions/Submit": { role: "submit" } } as const;
  const told = { listen, option: "--listen", who: "the gateway", security, rules, onRefused };
  const { server, listen: bind } = guardedServer(told);
  const { definition, service } = loadSubmissions();
  server.addService(service, {
    Submit({ request }: ServerUnaryCall<SubmitRequest, SubmitResponse>, answer: sendUnaryData<SubmitResponse>) {
      submit(request).then(
        (response) => answer(null, response),
        (error) => answer(serviceError(error)),
      );
    },
  });
  const health = new HealthImplementation({ "": "SERVING", "platestream.v1.Submissions": "SERVING" });
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);
  const address = await bind();
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        const late = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
};
