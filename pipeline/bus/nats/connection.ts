/** The connection to nats-server: the only file that knows the client's transport. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect, errors, type NatsConnection } from "@nats-io/transport-node";
import { PlatestreamError } from "../../../proto/errors.ts";

export { headers, type Msg, type NatsConnection, nanos, nuid } from "@nats-io/transport-node";

export interface BusAddress {
  readonly servers: readonly string[];
  /** Several queues may share a server: the path of the URL. */
  readonly namespace: string;
  readonly user?: string;
  readonly pass?: string;
  readonly tls: boolean;
}

/**
 * Reads `nats://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAMESPACE]`; `tls://` encrypts.
 *
 * @throws PlatestreamError `invalid-config`
 */
export const parseBusUrl = (url: string): BusAddress => {
  const [, scheme, login, hosts, namespace = "platestream"] =
    /^(nats|tls):\/\/(?:([^@/]*)@)?([^/@]+)(?:\/([A-Za-z0-9_-]+))?\/?$/.exec(url) ?? [];
  if (hosts === undefined) {
    throw new PlatestreamError(
      "invalid-config",
      `--bus takes nats://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAMESPACE], or tls:// for an encrypted one, got "${url}"`,
    );
  }
  const [user, pass] = (login ?? "").split(":", 2).map(decodeURIComponent);
  return {
    servers: hosts.split(","),
    namespace,
    tls: scheme === "tls",
    ...(login === undefined ? {} : { user: user!, pass: pass ?? "" }),
  };
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

/** Connects once, or throws "bus-unavailable"; a connection that is lost later comes back by itself, however long it takes. */
export const connectNats = async (address: BusAddress, name: string, onChange: OnConnection): Promise<Connected> => {
  const { servers, user, pass, tls } = address;
  const nc = await connect({
    servers: [...servers],
    name,
    timeout: 5_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    pingInterval: 10_000,
    ...(user === undefined ? {} : { user, pass: pass! }),
    ...(tls ? { tls: {} } : {}),
  }).catch((cause: Error) => {
    throw new PlatestreamError(
      "bus-unavailable",
      `no NATS server answers at ${servers.join(", ")} (${cause.message}); is it running, as in \`nats-server --jetstream\`?`,
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

const follow = async (nc: NatsConnection, onChange: OnConnection): Promise<void> => {
  for await (const status of nc.status()) {
    if (status.type === "disconnect") onChange("lost", `lost ${status.server}; waiting for it`);
    if (status.type === "reconnect") onChange("ready", `connected to ${status.server} again`);
  }
};

/** How long the server may take to answer before it is asked again. */
export const answerMs = 2_000;
const firstWaitMs = 100;
const longestWaitMs = 5_000;

/**
 * Repeats `operation` until the server answers it, through lost connections and restarts.
 * What the server answers, a refusal included, is final; so is the end of the connection by its owner.
 */
export const surely = async <T>(nc: NatsConnection, operation: () => Promise<T>): Promise<T> => {
  for (let wait = firstWaitMs; ; wait = Math.min(2 * wait, longestWaitMs)) {
    try {
      return await operation();
    } catch (error) {
      if (nc.isClosed() || !isSilence(error)) throw error;
      await sleep(wait);
    }
  }
};

/** Nobody answered: not the same as an answer that refuses. */
export const isSilence = (error: unknown): boolean => {
  if (!(error instanceof Error) || error.cause instanceof errors.PermissionViolationError) return false;
  return (
    error instanceof errors.TimeoutError ||
    error instanceof errors.RequestError ||
    error instanceof errors.NoRespondersError ||
    error instanceof errors.ConnectionError ||
    // the client's name for a server that does not answer yet because it is starting
    error.name === "JetStreamNotEnabled"
  );
};
