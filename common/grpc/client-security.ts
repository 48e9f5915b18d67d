/** How a client reaches servers: encrypted or not, with which certificate and token. */
import { type ChannelCredentials, credentials, InterceptingCall, type Interceptor } from "@grpc/grpc-js";
import { PlatestreamError } from "../errors.ts";
import { readOptionFile } from "../read-file.ts";
import { isLoopback } from "../security/listen-address.ts";
import { readAuthorities, readIdentityFiles, type TlsFiles } from "../security/tls.ts";

/** As the command line gives them. */
export interface ClientSecurityOptions extends Omit<TlsFiles, "tlsClientCa"> {
  /** Path of a file with a token; without it, the environment variable PLATESTREAM_TOKEN. */
  readonly tokenFile?: string | undefined;
  /** A token may travel unencrypted to other hosts. */
  readonly insecure?: boolean | undefined;
}

export interface ClientSecurity {
  /**
   * For a server at `host:port`. Throws "invalid-config" when a token would travel unencrypted to another host, or a
   * certificate is given and not used.
   */
  toServer(address: string): {
    readonly credentials: ChannelCredentials;
    /** For the options of a grpc-js client. */
    readonly interceptors: Interceptor[];
  };
}

/** For servers on this host, as a program starts them for itself. */
export const plain: ClientSecurity = {
  toServer: () => ({ credentials: credentials.createInsecure(), interceptors: [] }),
};

/** `--tls-ca system`: the authorities that this machine trusts. */
const systemAuthorities = "system";

/** Reads the files. Encrypts with `--tls-ca`. Throws "invalid-config". */
export const readClientSecurity = async (
  options: ClientSecurityOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ClientSecurity> => {
  const { tlsCa, insecure = false } = options;
  const token = await readToken(options, env);
  const authorities = tlsCa === systemAuthorities ? undefined : await readAuthorities(tlsCa, "--tls-ca");
  const identity = tlsCa === undefined ? undefined : await readIdentityFiles(options);
  const channel =
    tlsCa === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(authorities ?? null, identity?.key ?? null, identity?.cert ?? null);
  const interceptors = token === undefined ? [] : [sendToken(token)];
  return {
    toServer(address) {
      const given = token !== undefined ? "a token" : options.tlsCert !== undefined ? "--tls-cert" : undefined;
      if (given !== undefined && tlsCa === undefined && !insecure && !isLoopback(hostOf(address))) {
        throw new PlatestreamError(
          "invalid-config",
          `${given} is given, and ${address} would be reached unencrypted: say whom to trust with --tls-ca (a file, or "system"), or --insecure in a network that you trust`,
        );
      }
      return { credentials: channel, interceptors };
    },
  };
};

const hostOf = (address: string): string => address.replace(/:\d+$/, "");

const readToken = async (
  { tokenFile }: ClientSecurityOptions,
  { PLATESTREAM_TOKEN: fromEnvironment }: NodeJS.ProcessEnv,
): Promise<string | undefined> => {
  if (tokenFile === undefined && (fromEnvironment === undefined || fromEnvironment === "")) return undefined;
  const where = tokenFile === undefined ? "PLATESTREAM_TOKEN" : `--token-file ${tokenFile}`;
  const text =
    tokenFile === undefined ? fromEnvironment! : (await readOptionFile("--token-file", tokenFile)).toString("utf8");
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new PlatestreamError(
    "invalid-config",
    `${where} must hold a token as \`pipeline token new\` shows it, and no more`,
  );
};

const sendToken =
  (token: string): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set("authorization", `Bearer ${token}`);
        next(metadata, listener);
      },
    });
