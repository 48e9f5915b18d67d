/** A gRPC server that knows whom it lets in. */
import { Server } from "@grpc/grpc-js";
import { PlatestreamError } from "../errors.ts";
import { hostAndPort, type ListenRule, listenAddress } from "../security/listen-address.ts";
import { guard, type MethodRules, type OnRefused } from "./guard.ts";
import type { ServerSecurity } from "./server-security.ts";

export interface GuardedServerOptions extends Pick<ListenRule, "option" | "who"> {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  readonly rules: MethodRules;
  readonly onRefused: OnRefused;
}

export interface GuardedServer {
  /** Add services to it before it listens. */
  readonly server: Server;
  /** Returns `host:port` with the real port. Throws "invalid-config" when the address cannot be had. */
  listen(): Promise<string>;
}

/** @throws PlatestreamError `invalid-config` when it must not listen there, see `listenAddress` */
export const guardedServer = (options: GuardedServerOptions): GuardedServer => {
  const { listen, option, who, security, rules, onRefused } = options;
  const { credentials, encrypted, insecure, limits } = security;
  const { host, port } = listenAddress(listen, { option, who, encrypted, insecure });
  const server = new Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxStreams,
    interceptors: [guard(security, rules, onRefused)],
  });
  const bind = (): Promise<string> =>
    new Promise((resolve, reject) => {
      server.bindAsync(hostAndPort(host, port), credentials, (error, bound) => {
        if (error === null) return resolve(hostAndPort(host, bound));
        reject(
          new PlatestreamError(
            "invalid-config",
            `${who} cannot listen on ${listen}: ${error.message}; ${option} ${hostAndPort(host, 0)} takes any port that is free`,
            { cause: error },
          ),
        );
      });
    });
  return { server, listen: bind };
};
