/** Certificates and keys, from PEM files to what gRPC, HTTP and NATS take. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { PlatestreamError } from "../errors.ts";
import { readOptionFile } from "../read-file.ts";

/** Options as they are given, each the path of a PEM file. */
export interface TlsFiles {
  /** Of this process, its own certificate first. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** Authorities that servers must be certified by. */
  readonly tlsCa?: string | undefined;
  /** Authorities that clients must be certified by. */
  readonly tlsClientCa?: string | undefined;
}

export interface Identity {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @throws PlatestreamError `invalid-config` when one is given without the other, or they do not belong together */
export const readIdentityFiles = async (
  { tlsCert, tlsKey }: TlsFiles,
  options = { cert: "--tls-cert", key: "--tls-key" },
): Promise<Identity | undefined> => {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    const [given, missing] = tlsKey === undefined ? [options.cert, options.key] : [options.key, options.cert];
    throw new PlatestreamError("invalid-config", `${given} needs ${missing}: a certificate and its private key`);
  }
  const identity = {
    cert: await readOptionFile(options.cert, tlsCert),
    key: await readOptionFile(options.key, tlsKey),
  };
  try {
    createSecureContext(identity);
  } catch (cause) {
    throw new PlatestreamError(
      "invalid-config",
      `${options.cert} ${tlsCert} and ${options.key} ${tlsKey} must be a certificate and its unencrypted key in PEM: ${(cause as Error).message}`,
      { cause },
    );
  }
  return identity;
};

/** Certificates of authorities; several may stand in one file. */
export const readAuthorities = async (path: string | undefined, option: string): Promise<Buffer | undefined> => {
  if (path === undefined) return undefined;
  const pem = await readOptionFile(option, path);
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new PlatestreamError(
      "invalid-config",
      `${option} ${path} must hold certificates in PEM: ${(cause as Error).message}`,
      { cause },
    );
  }
  return pem;
};
