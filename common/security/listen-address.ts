/** Where a server may listen: on loopback, or encrypted, or where somebody says that the network is trusted. */
import { PlatestreamError } from "../errors.ts";

export interface ListenAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export interface ListenRule {
  /** The option that the address came from, for instance `--listen`. */
  readonly option: string;
  /** Who listens, for instance `the worker`. */
  readonly who: string;
  /** With TLS. */
  readonly encrypted: boolean;
  /** `--insecure` was given. */
  readonly insecure: boolean;
}

/**
 * Reads `HOST:PORT`; an IPv6 address stands in brackets.
 *
 * @throws PlatestreamError `invalid-config` also when other hosts could reach it, nothing is encrypted and nobody said `--insecure`
 */
export const listenAddress = (text: string, { option, who, encrypted, insecure }: ListenRule): ListenAddress => {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new PlatestreamError(
      "invalid-config",
      `${option} is HOST:PORT, for instance 127.0.0.1:7411 or [::1]:0, not "${text}"`,
    );
  }
  if (!encrypted && !insecure && !isLoopback(host)) {
    throw new PlatestreamError(
      "invalid-config",
      `${option} ${text} would let other hosts in, and ${who} would not encrypt: ` +
        "give it --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure in a network that you trust",
    );
  }
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
};

/** Whether only this host can reach it, whatever the network. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|\[?::1\]?|\[?(::ffff:)?127(\.\d{1,3}){3}\]?)$/i.test(host);

export const hostAndPort = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;
