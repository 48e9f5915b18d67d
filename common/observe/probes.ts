/** HTTP for those who watch a process: `/metrics`, `/healthz` (it lives) and `/readyz` (it does its work). */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createEncryptedServer } from "node:https";
import type { AddressInfo } from "node:net";
import { PlatestreamError } from "../errors.ts";
import { hostAndPort, isLoopback, listenAddress } from "../security/listen-address.ts";
import type { Identity } from "../security/tls.ts";
import type { Metrics } from "./metrics.ts";

export interface ProbeOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  /** Other hosts may ask, unencrypted. */
  readonly insecure: boolean;
  /** With it, other hosts may ask over HTTPS; on loopback it is HTTP all the same. */
  readonly identity?: Identity | undefined;
  readonly metrics: Metrics;
  /** Why it is not ready; undefined: it is. */
  readonly notReady: () => string | undefined;
}

export interface Probes {
  /** `http://host:port`, or `https://`, with the real port. */
  readonly url: string;
  close(): Promise<void>;
}

/** Answers from now on, also while the process is not ready yet. Throws "invalid-config" when it cannot listen. */
export const serveProbes = async ({ listen, insecure, identity, metrics, notReady }: ProbeOptions): Promise<Probes> => {
  const who = "the server of metrics";
  const rule = { option: "--metrics-listen", who, encrypted: identity !== undefined, insecure };
  const { host, port } = listenAddress(listen, rule);
  const scrape = (response: ServerResponse): Promise<void> =>
    metrics.text().then(
      (text) => answer(response, 200, text, metrics.contentType),
      (error: Error) => answer(response, 500, `${error.message}\n`),
    );
  const ready = (response: ServerResponse): void => {
    const reason = notReady();
    if (reason === undefined) answer(response, 200, "ready\n");
    else answer(response, 503, `${reason}\n`);
  };
  // Throws for no path, however odd: what a handler throws would end the process.
  const respond = ({ method, url = "/" }: IncomingMessage, response: ServerResponse): void => {
    const [path] = url.split("?", 1);
    if (method !== "GET" && method !== "HEAD") answer(response, 405, "only GET is answered\n");
    else if (path === "/metrics") void scrape(response);
    else if (path === "/healthz") answer(response, 200, "alive\n");
    else if (path === "/readyz") ready(response);
    else answer(response, 404, "there are /metrics, /healthz and /readyz\n");
  };
  const encrypted = identity !== undefined && !isLoopback(host);
  const server = encrypted ? createEncryptedServer({ ...identity }, respond) : createServer(respond);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new PlatestreamError(
          "invalid-config",
          `cannot listen for --metrics-listen ${listen}: ${cause.message}; port 0 takes any that is free`,
          { cause },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  // A process that has nothing else to do ends.
  server.unref();
  return {
    url: `${encrypted ? "https" : "http"}://${hostAndPort(host, (server.address() as AddressInfo).port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const answer = (response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void => {
  response.writeHead(status, { "content-type": type }).end(text);
};
