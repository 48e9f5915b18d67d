/** The HTTP server of the plate map: read only, and nothing of it reaches another site or loads from one. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createEncryptedServer } from "node:https";
import type { AddressInfo } from "node:net";
import { PlatestreamError } from "../../common/errors.ts";
import { hostAndPort, isLoopback, listenAddress } from "../../common/security/listen-address.ts";
import type { Identity } from "../../common/security/tls.ts";
import { authorise, type TokenEntry } from "../../common/security/tokens.ts";

export interface PageServerOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly identity: Identity | undefined;
  readonly insecure: boolean;
  /** Those that are valid at the moment; undefined: nobody is asked for one. */
  readonly tokens: (() => readonly TokenEntry[]) | undefined;
  /** The page itself, which holds no data. Undefined: no such file. */
  readonly file: (path: string) => StaticFile | undefined;
  /** Answers what lies under `/api/`. */
  readonly api: Api;
}

export interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
}

export type Api = (url: URL, response: ServerResponse, signal: AbortSignal) => Promise<void>;

export interface PageServer {
  /** `http://host:port` or `https://…`, with the real port. */
  readonly url: string;
  close(): Promise<void>;
}

/** Scripts, styles and data from this server only; pictures also from the page's own memory. */
const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Of a browser a handful is open at a time. */
const mostConnections = 256;

export const servePage = async (options: PageServerOptions): Promise<PageServer> => {
  const { listen, identity, insecure, tokens, file, api } = options;
  const rule = { option: "--listen", who: "the plate map", encrypted: identity !== undefined, insecure };
  const { host, port } = listenAddress(listen, rule);
  const local = isLoopback(host);

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "only GET is answered");
    // A page of elsewhere may have its name lead here; it cannot have the browser send another name.
    if (local && !isOwnName(request.headers.host)) return refuse(response, 421, "ask for it by a name of this machine");
    const url = parseUrl(request.url);
    if (url === undefined) return refuse(response, 400, "that is not a path");
    if (!url.pathname.startsWith("/api/")) {
      const found = file(url.pathname);
      if (found === undefined) return refuse(response, 404, "there is no such page");
      return void response
        .writeHead(200, { "content-type": found.type, "cache-control": "no-cache" })
        .end(request.method === "HEAD" ? undefined : found.bytes);
    }
    if (tokens !== undefined) authorise(tokens(), request.headers.authorization, "subscribe");
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    await api(url, response, gone.signal);
  };
  const listener: RequestListener = (request, response) => {
    respond(request, response).catch((thrown) => {
      const error = PlatestreamError.from(thrown);
      if (response.headersSent) response.destroy();
      else refuse(response, statusOf(error), error.rawMessage);
    });
  };
  const server =
    identity !== undefined && !local ? createEncryptedServer({ ...identity }, listener) : createServer(listener);
  server.maxConnections = mostConnections;
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new PlatestreamError(
          "invalid-config",
          `cannot listen on ${listen}: ${cause.message}; port 0 takes any that is free`,
          { cause },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  const scheme = identity !== undefined && !local ? "https" : "http";
  return {
    url: `${scheme}://${hostAndPort(host, (server.address() as AddressInfo).port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const isOwnName = (host: string | undefined): boolean =>
  host !== undefined && isLoopback(host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"));

const parseUrl = (url = "/"): URL | undefined => {
  try {
    return url.startsWith("/") ? new URL(url.replace(/^\/+/, "/"), "http://localhost") : undefined;
  } catch {
    return undefined;
  }
};

const statuses: Partial<Record<PlatestreamError["code"], number>> = {
  "invalid-request": 404,
  "unreadable-image": 422,
  unauthenticated: 401,
  "permission-denied": 403,
  "too-many-calls": 429,
};

const statusOf = ({ code }: PlatestreamError): number => statuses[code] ?? 500;

const refuse = (response: ServerResponse, status: number, error: string): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
};
