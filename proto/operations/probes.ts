/** HTTP for those who watch a process: `/metrics`, `/healthz` (it lives) and `/readyz` (it does its work). */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PlatestreamError } from "../errors.ts";
import { hostAndPort, listenAddress } from "../security/listen-address.ts";
import type { Metrics } from "./metrics.ts";

export interface ProbeOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  /** Other hosts may ask, unencrypted. */
  readonly insecure: boolean;
  readonly metrics: Metrics;
  /** Why it is not ready; undefined: it is. */
  readonly notReady: () => string | undefined;
}

export interface Probes {
  /** `host:port` with the real port. */
  readonly address: string;
  close(): Promise<void>;
}

/** Answers from now on, also while the process is not ready yet. Throws "invalid-config" when it cannot listen. */
export const serveProbes = async ({ listen, insecure, metrics, notReady }: ProbeOptions): Promise<Probes> => {
  const rule = { option: "--metrics-listen", who: "metrics", encrypted: false, insecure };
  const { host, port } = listenAddress(listen, rule);
  const server = createServer(async ({ method, url = "/" }, response) => {
    if (method !== "GET" && method !== "HEAD") return answer(response, 405, "only GET is answered\n");
    switch (new URL(url, "http://localhost").pathname) {
      case "/metrics":
        return metrics.text().then(
          (text) => answer(response, 200, text, metrics.contentType),
          (error: Error) => answer(response, 500, `${error.message}\n`),
        );
      case "/healthz":
        return answer(response, 200, "alive\n");
      case "/readyz": {
        const reason = notReady();
        return reason === undefined ? answer(response, 200, "ready\n") : answer(response, 503, `${reason}\n`);
      }
      default:
        return answer(response, 404, "there are /metrics, /healthz and /readyz\n");
    }
  });
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
    address: hostAndPort(host, (server.address() as AddressInfo).port),
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
