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
  /** A stream that may go on for as long as its client likes; one that the client sends on ends when nothing moves on it. */
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

/** What beside about twice as much is sent before a message never gets here: HTTP/2's own limit ends the connection. */
const mostMetadataBytes = 2 ** 16;

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
    /** A message went one way or the other. */
    let stirred = (): void => undefined;
    const endAfter = (ms: number, error: PlatestreamError): NodeJS.Timeout =>
      setTimeout(() => call.sendStatus(serviceError(error)), Math.min(ms, longestMs));
    const admit = (metadata: Metadata): void => {
      const bytes = bytesOf(metadata);
      if (bytes > mostMetadataBytes) throw tooMuchMetadata(bytes);
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
      let quiet = endAfter(limits.maxSilenceMs, silent(limits.maxSilenceMs));
      stirred = () => {
        clearTimeout(quiet);
        if (rule?.endless && method.requestStream) quiet = endAfter(limits.maxCallMs, idle(limits.maxCallMs));
      };
      const askAgain = () => {
        try {
          ask();
        } catch (thrown) {
          call.sendStatus(serviceError(thrown));
        }
      };
      const timer = rule?.endless
        ? setInterval(askAgain, askAgainMs)
        : endAfter(limits.maxCallMs, late(limits.maxCallMs));
      done = () => {
        clearTimeout(timer);
        clearTimeout(quiet);
        stirred = () => undefined;
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
        stirred();
        if (message instanceof UnreadableMessage) return call.sendStatus(serviceError(message.error));
        next(message);
      })
      // Comes at the end of every call, however it ends.
      .withOnCancel(() => {
        done();
        done = () => undefined;
      })
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMessage((message, next) => {
        stirred();
        next(message);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
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

/** As HTTP/2 counts them. */
const bytesOf = (metadata: Metadata): number =>
  Object.entries(metadata.toJSON()).reduce(
    (sum, [key, values]) => sum + values.reduce((each, value) => each + key.length + value.length + 32, 0),
    0,
  );

const tooMuchMetadata = (bytes: number): PlatestreamError =>
  new PlatestreamError(
    "too-large",
    `the metadata of a call may take ${mostMetadataBytes} bytes, and this call brings ${bytes}; what is long belongs into a message`,
  );

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

const idle = (ms: number): PlatestreamError =>
  new PlatestreamError(
    "deadline",
    `nothing was sent on this stream for ${ms / 1000} s; open it when there is something to send, or start the server with another --max-call-time`,
  );

const late = (ms: number): PlatestreamError =>
  new PlatestreamError(
    "deadline",
    `a call may take ${ms / 1000} s here; send less at a time, or start the server with another --max-call-time`,
  );
