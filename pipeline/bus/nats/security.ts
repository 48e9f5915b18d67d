/** Who a program is to a NATS server, and how it makes sure of the server. */
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { PlatestreamError } from "../../../common/errors.ts";
import { readOptionFile } from "../../../common/read-file.ts";
import { readAuthorities, readIdentityFiles } from "../../../common/security/tls.ts";

export type BusLogin =
  /** What a NATS operator hands out: a file with a signed user and the seed of its key. */
  | { readonly kind: "creds"; readonly creds: Uint8Array }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string };

export interface BusSecurity {
  /** Counts before what the URL says. */
  readonly login?: BusLogin | undefined;
  /** Encrypts, also where the URL says `nats://`. PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** As the command line gives them: paths of files. */
export interface BusSecurityOptions {
  readonly busCreds?: string | undefined;
  readonly busTlsCa?: string | undefined;
  readonly busTlsCert?: string | undefined;
  readonly busTlsKey?: string | undefined;
}

const loginFile = z.union([
  z.strictObject({ user: z.string().min(1), password: z.string() }),
  z.strictObject({ token: z.string().min(1) }),
]);

/** Reads the files. Throws "invalid-config", without a word of what is in a login. */
export const readBusSecurity = async (options: BusSecurityOptions): Promise<BusSecurity> => {
  const { busCreds, busTlsCa, busTlsCert, busTlsKey } = options;
  const ca = await readAuthorities(busTlsCa, "--bus-tls-ca");
  const names = { cert: "--bus-tls-cert", key: "--bus-tls-key" };
  const identity = await readIdentityFiles({ tlsCert: busTlsCert, tlsKey: busTlsKey }, names);
  return {
    login: busCreds === undefined ? undefined : await readLogin(busCreds),
    tls:
      ca === undefined && identity === undefined
        ? undefined
        : {
            ...(ca === undefined ? {} : { ca: ca.toString() }),
            ...(identity === undefined ? {} : { cert: identity.cert.toString(), key: identity.key.toString() }),
          },
  };
};

const readLogin = async (path: string): Promise<BusLogin> => {
  const bytes = await readOptionFile("--bus-creds", path);
  const text = bytes.toString();
  if (/-{3,}BEGIN NATS USER JWT-{3,}/.test(text)) return { kind: "creds", creds: bytes };
  const parsed = loginFile.safeParse(readYaml(text));
  if (!parsed.success) {
    throw new PlatestreamError(
      "invalid-config",
      `--bus-creds ${path} must be a .creds file of NATS, or YAML with user and password, or with token`,
    );
  }
  return "token" in parsed.data ? { kind: "token", ...parsed.data } : { kind: "user", ...parsed.data };
};

const readYaml = (text: string): unknown => {
  try {
    return parseYaml(text, { schema: "failsafe" });
  } catch {
    return undefined;
  }
};
