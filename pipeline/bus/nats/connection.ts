/** The connection to nats-server: the only file that knows the client's transport. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
} from "@nats-io/transport-node";
import { PlatestreamError } from "../../../common/errors.ts";
import { token } from "./names.ts";
import type { BusLogin, BusSecurity } from "./security.ts";

export { headers, type Msg, type NatsConnection, nanos, nuid } from "@nats-io/transport-node";

export interface BusAddress {
  readonly servers: readonly string[];
  /** Several queues may share a server: the path of the URL. */
  readonly namespace: string;
  readonly login?: BusLogin;
  readonly tls: boolean;
}

/**
 * Reads `nats://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAMESPACE]`; `tls://` encrypts, and a login without a colon is a token.
 *
 * @throws PlatestreamError `invalid-config`
 */
export const parseBusUrl = (url: string): BusAddress => {
  const [, scheme, login, hosts, namespace = "platestream"] =
    /^(nats|tls):\/\/(?:([^@/]*)@)?([^/@]+)(?:\/([A-Za-z0-9_-]+))?\/?$/.exec(url) ?? [];
  const host = /^(\[[0-9A-Fa-f:.%]+\]|[^:[\]\s]+)(:\d+)?$/;
  if (hosts === undefined || !hosts.split(",").every((each) => host.test(each))) {
    throw new PlatestreamError(
      "invalid-config",
      "--bus takes nats://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAMESPACE], or tls:// for an encrypted one; " +
        `got one ${problemOf(url)}`,
    );
  }
  return {
    servers: hosts.split(","),
    namespace,
    tls: scheme === "tls",
    ...(login === undefined ? {} : { login: loginOf(login) }),
  };
};

/** Never quotes the URL: any part of a wrong one may be a password. */
const problemOf = (url: string): string => {
  if (!/^(nats|tls):\/\//.test(url)) return "without nats:// or tls:// in front";
  const login = url.slice(url.indexOf("//") + 2, Math.max(0, url.lastIndexOf("@")));
  if (/[@/]/.test(login)) return "with @ or / in its login: write them as %40 and %2F";
  return "whose host, port or namespace is none (a namespace has letters, digits, _ and -)";
};

const loginOf = (text: string): BusLogin => {
  const [user, password] = text.split(":", 2).map(decoded);
  return password === undefined ? { kind: "token", token: user! } : { kind: "user", user: user!, password };
};

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new PlatestreamError(
      "invalid-config",
      "the login in the URL of the bus holds a % that begins no character; write % itself as %25, or use --bus-creds FILE",
    );
  }
};

const authentication = (login: BusLogin | undefined): ConnectionOptions => {
  switch (login?.kind) {
    case undefined:
      return {};
    case "creds":
      return { authenticator: credsAuthenticator(login.creds) };
    case "user":
      // Answers come to subjects of its own, so that a server can keep others from listening.
      return { user: login.user, pass: login.password, inboxPrefix: `_INBOX.${token(login.user)}` };
    case "token":
      return { token: login.token };
  }
};

export interface Connected {
  readonly nc: NatsConnection;
  /** One line: which server, and what it can do. */
  readonly server: string;
  /** At least that version, `major.minor`. */
  serverIs(atLeast: `${number}.${number}`): boolean;
}

/** The connection was lost, or is there again. */
export type OnConnection = (state: "lost" | "ready", detail: string) => void;

/**
 * Connects once, or throws "bus-unavailable", or "unauthenticated" where the server refuses the login; a connection that
 * is lost later comes back by itself, however long it takes.
 */
export const connectNats = async (
  { servers, login, tls }: BusAddress,
  name: string,
  onChange: OnConnection,
  security: BusSecurity = {},
): Promise<Connected> => {
  const encrypted = tls || security.tls !== undefined;
  const nc = await connect({
    servers: [...servers],
    name,
    timeout: 5_000,
    maxReconnectAttempts: -1,
    // A server that refuses the login today may know it again tomorrow; so long, it is lost.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 500,
    pingInterval: 10_000,
    ...authentication(security.login ?? login),
    ...(encrypted ? { tls: security.tls ?? {} } : {}),
  }).catch((cause: Error) => {
    if (isRefusedLogin(cause)) {
      throw new PlatestreamError(
        "unauthenticated",
        `the NATS server at ${servers.join(", ")} refuses this login (${cause.message}); give another one with --bus-creds FILE`,
        { cause },
      );
    }
    // One that asks for certificates is silent towards those without.
    const certificates = encrypted ? " Does it ask for a certificate, as with --bus-tls-cert FILE?" : "";
    throw new PlatestreamError(
      "bus-unavailable",
      `no NATS server answers at ${servers.join(", ")} (${cause.message}); is it running, as in \`nats-server --jetstream\`?${certificates}`,
      { cause },
    );
  });
  void follow(nc, onChange);
  const version = nc.info!.version;
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const serverIs = (atLeast: string): boolean => {
    const [wantedMajor = 0, wantedMinor = 0] = atLeast.split(".").map(Number);
    return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  };
  const compressed = serverIs("2.10")
    ? "events are stored compressed"
    : "events are stored as they are (compression needs 2.10)";
  const server = `nats-server ${version} at ${nc.getServer()}: ${compressed}, messages up to ${nc.info!.max_payload >> 10} KiB`;
  return { nc, server, serverIs };
};

const isRefusedLogin = (error: Error): boolean =>
  error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;

const follow = async (nc: NatsConnection, onChange: OnConnection): Promise<void> => {
  /** Until it is there again: a server that refuses the login does so at every attempt. */
  const reported = new Set<string>();
  const reportOnce = (type: string, detail: string) => {
    if (!reported.has(type)) onChange("lost", detail);
    reported.add(type);
  };
  for await (const status of nc.status()) {
    if (status.type === "disconnect") reportOnce(status.type, `lost ${status.server}; waiting for it`);
    if (status.type === "error" && isRefusedLogin(status.error)) {
      reportOnce(status.type, `${nc.getServer()} refuses this login (${status.error.message}); trying again`);
    }
    if (status.type === "reconnect" && reported.size > 0) {
      reported.clear();
      onChange("ready", `connected to ${status.server} again`);
    }
  }
};

/** How long the server may take to answer before it is asked again. */
export const answerMs = 2_000;
const firstWaitMs = 100;
const longestWaitMs = 5_000;

/**
 * Repeats `operation` until the server answers it and has room for it, through lost connections, restarts and full disks;
 * `onFull` is called, once, when it has none. What else the server answers, a refusal included, is final; so is the end of
 * the connection by its owner.
 */
export const retryUntilAnswered = async <T>(
  nc: NatsConnection,
  operation: () => Promise<T>,
  onFull: () => void = () => {},
): Promise<T> => {
  let reported = false;
  for (let wait = firstWaitMs; ; wait = Math.min(2 * wait, longestWaitMs)) {
    try {
      return await operation();
    } catch (error) {
      const full = isFull(error);
      if (nc.isClosed() || !(full || isNoResponse(error))) throw refusalOf(error) ?? error;
      if (full && !reported) onFull();
      reported ||= full;
      await sleep(wait);
    }
  }
};

/** JetStream's codes for: no resources, no memory, no storage, and a stream that takes no more messages or bytes. */
const fullCodes: readonly unknown[] = [10023, 10028, 10047, 10077];

const isFull = (error: unknown): boolean => fullCodes.includes((error as { readonly code?: unknown }).code);

/** What the login may not do, if that is why it failed. */
const refusalOf = (error: unknown): PlatestreamError | undefined => {
  const refused = error instanceof errors.PermissionViolationError ? error : (error as Error).cause;
  if (!(refused instanceof errors.PermissionViolationError)) return undefined;
  const { operation, subject } = refused;
  return new PlatestreamError(
    "permission-denied",
    `this login may not ${operation === "publish" ? "publish to" : "subscribe to"} ${subject} on the bus; its roles are in the configuration of nats-server`,
    { cause: error },
  );
};

/** Nobody answered: not the same as an answer that refuses. */
export const isNoResponse = (error: unknown): boolean => {
  if (!(error instanceof Error) || refusalOf(error) !== undefined) return false;
  return (
    error instanceof errors.TimeoutError ||
    error instanceof errors.RequestError ||
    error instanceof errors.NoRespondersError ||
    error instanceof errors.ConnectionError ||
    // the client's name for a server that does not answer yet because it is starting
    error.name === "JetStreamNotEnabled"
  );
};
