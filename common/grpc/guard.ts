/** Stands before every call of a gRPC server: asks for the token, counts the client's calls, and ends those that take too long. */
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from "@grpc/grpc-js";
import { PlatestreamError } from "../errors.ts";
import { authorise, type Role } from "../security/tokens.ts";
import { UnreadableMessage } from "./readable.ts";
import type { ServerSecurity } from "./server-security.ts";
import { serviceError } from "./service-error.ts";

export interface MethodRule {
  readonly role: Role;
  /** A stream that may go on for as long as its client likes. */
  readonly endless?: boolean;
}

/** By path, for instance `/platestream.v1.Worker/Predict`. What is not listed takes any valid token; health takes none. */
export type MethodRules = Readonly<Record<string, MethodRule>>;

/** A call that was not let in: its method, the address it came from, and why. */
export type OnRefused = (method: string, from: string, error: PlatestreamError) => void;

export interface Guard {
  readonly interceptor: ServerInterceptor;
  /** Calls with a rule that are under way. */
  readonly active: number;
  /** Resolves when none is. */
  idle(): Promise<void>;
}

/** A token that is taken back, or expires, ends what it opened. */
const askAgainMs = 2_000;

/** Of a timer. */
const longestMs = 2 ** 31 - 1;

const health = "/grpc.health.v1.Health/";

export const openGuard = ({ tokens, limits }: ServerSecurity, rules: MethodRules, onRefused: OnRefused): Guard => {
  /** Calls under way by client. */
  const calls = new Map<string, number>();
  const waiting = new Set<() => void>();
  let active = 0;

  /** Counts a call in, and returns what counts it out. */
  const count = (client: string, hasRule: boolean): (() => void) => {
    const underWay = calls.get(client) ?? 0;
    if (underWay >= limits.maxCalls) throw tooMany(limits.maxCalls);
    calls.set(client, underWay + 1);
    if (hasRule) active += 1;
    return () => {
      const left = calls.get(client)! - 1;
      if (left === 0) calls.delete(client);
      else calls.set(client, left);
      if (hasRule) active -= 1;
      if (active === 0) for (const each of waiting) each();
    };
  };

  const interceptor: ServerInterceptor = (method, call) => {
    const rule = rules[method.path];
    let done = (): void => undefined;
    let heard = (): void => undefined;
    const admit = (metadata: Metadata): void => {
      const [header] = metadata.get("authorization");
      // From here on nobody needs it, least of all a log.
      metadata.remove("authorization");
      if (method.path.startsWith(health)) {
        done = count(`health of ${peerOf(call)}`, false);
        return;
      }
      const ask = () => (tokens === undefined ? undefined : authorise(tokens(), header?.toString(), rule?.role));
      const entry = ask();
      const leave = count(entry === undefined ? peerOf(call) : `token ${entry.name}`, rule !== undefined);
      const waits = setTimeout(
        () => call.sendStatus(serviceError(silent(limits.maxSilenceMs))),
        Math.min(limits.maxSilenceMs, longestMs),
      );
      heard = () => clearTimeout(waits);
      const askAgain = () => {
        try {
          ask();
        } catch (thrown) {
          call.sendStatus(serviceError(thrown));
        }
      };
      const timer = rule?.endless
        ? setInterval(askAgain, askAgainMs)
        : setTimeout(
            () => call.sendStatus(serviceError(late(limits.maxCallMs))),
            Math.min(limits.maxCallMs, longestMs),
          );
      done = () => {
        clearTimeout(timer);
        heard();
        leave();
      };
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          admit(metadata);
        } catch (thrown) {
          const error = PlatestreamError.from(thrown);
          onRefused(method.path.slice(method.path.lastIndexOf("/") + 1), call.getPeer(), error);
          return call.sendStatus(serviceError(error));
        }
        next(metadata);
      })
      .withOnReceiveMessage((message, next) => {
        heard();
        if (message instanceof UnreadableMessage) return call.sendStatus(serviceError(message.error));
        next(message);
      })
      // Comes at the end of every call, however it ends.
      .withOnCancel(() => {
        done();
        done = () => undefined;
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
  return {
    interceptor,
    get active() {
      return active;
    },
    async idle() {
      if (active === 0) return;
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
      });
    },
  };
};

/** Whoever has the same certificate, or else the same address, is one client. */
const peerOf = (call: ServerInterceptingCallInterface): string =>
  call.getAuthContext().sslPeerCertificate?.fingerprint256 ?? call.getConnectionInfo().remoteAddress ?? "unknown";

const tooMany = (most: number): PlatestreamError =>
  new PlatestreamError(
    "too-many-calls",
    `a client may have ${most} calls under way here, and this one has; wait for one to end, or start the server with another --max-calls`,
  );

const silent = (ms: number): PlatestreamError =>
  new PlatestreamError(
    "deadline",
    `no message came for ${ms / 1000} s after the call was opened; open it when there is something to send, or start the server with another --max-silence`,
  );

const late = (ms: number): PlatestreamError =>
  new PlatestreamError(
    "deadline",
    `a call may take ${ms / 1000} s here; send less at a time, or start the server with another --max-call-time`,
  );
