/** Which clients a gRPC server accepts, and how much each may ask. */
import { ServerCredentials } from "@grpc/grpc-js";
import { PlatestreamError } from "../errors.ts";
import { readAuthorities, readIdentityFiles, type TlsFiles } from "../security/tls.ts";
import { followTokens, type TokenEntry } from "../security/tokens.ts";

export interface ServerLimits {
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** Calls under way on one connection; more wait at the client. */
  readonly maxStreams: number;
  /** Calls under way of one client, on however many connections; more are refused. */
  readonly maxCalls: number;
  /** How long a call may take, milliseconds; streams without an end are exempt. */
  readonly maxCallMs: number;
  /** How long the first message of a call may take to arrive, milliseconds. */
  readonly maxSilenceMs: number;
}

export const defaultServerLimits: ServerLimits = {
  maxMessageBytes: 256 * 2 ** 20,
  maxStreams: 32,
  maxCalls: 64,
  maxCallMs: 600_000,
  maxSilenceMs: 60_000,
};

export interface ServerSecurity {
  readonly credentials: ServerCredentials;
  readonly encrypted: boolean;
  /** Other hosts may connect although nothing is encrypted. */
  readonly insecure: boolean;
  /** Those that are valid at the moment. Undefined: nobody is asked for a token. */
  readonly tokens: (() => readonly TokenEntry[]) | undefined;
  readonly limits: ServerLimits;
}

/** For loopback: no encryption, no tokens, the default limits. */
export const openToThisHost: ServerSecurity = {
  credentials: ServerCredentials.createInsecure(),
  encrypted: false,
  insecure: false,
  tokens: undefined,
  limits: defaultServerLimits,
};

/** As the command line gives them. */
export interface ServerSecurityOptions extends Omit<TlsFiles, "tlsCa"> {
  readonly insecure?: boolean | undefined;
  /** Path of a token file. */
  readonly tokens?: string | undefined;
  /** MiB */
  readonly maxMessage: number;
  readonly maxStreams: number;
  readonly maxCalls: number;
  /** Seconds */
  readonly maxCallTime: number;
  /** Seconds */
  readonly maxSilence: number;
}

/** Reads the files. Throws "invalid-config"; what is wrong with a token file that changes later is reported. */
export const readServerSecurity = async (
  options: ServerSecurityOptions,
  onProblem: (problem: PlatestreamError) => void,
): Promise<ServerSecurity> => {
  const identity = await readIdentityFiles(options);
  const clientCa = await readAuthorities(options.tlsClientCa, "--tls-client-ca");
  if (clientCa !== undefined && identity === undefined) {
    throw new PlatestreamError(
      "invalid-config",
      "--tls-client-ca asks clients for certificates, which needs the server's own: give --tls-cert and --tls-key as well",
    );
  }
  return {
    credentials:
      identity === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(
            clientCa ?? null,
            [{ cert_chain: identity.cert, private_key: identity.key }],
            clientCa !== undefined,
          ),
    encrypted: identity !== undefined,
    insecure: options.insecure ?? false,
    tokens: options.tokens === undefined ? undefined : await followTokens(options.tokens, onProblem),
    limits: {
      maxMessageBytes: options.maxMessage * 2 ** 20,
      maxStreams: options.maxStreams,
      maxCalls: options.maxCalls,
      maxCallMs: options.maxCallTime * 1000,
      maxSilenceMs: options.maxSilence * 1000,
    },
  };
};
