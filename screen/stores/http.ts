/** Files of web servers and object stores: whole where they are small, in pieces where they are large. */
import { setTimeout as sleep } from "node:timers/promises";
import { unreadable } from "../unreadable.ts";
import { type Bytes, bytesInMemory, requireInside } from "./bytes.ts";
import { type DiskCache, openDiskCache } from "./disk-cache.ts";
import { openGate } from "./gate.ts";

/** What differs from server to server: where a request goes, and who signs it. */
export interface RemoteFile {
  /** Of the file as the dataset names it. */
  readonly location: string;
  request(headers: Readonly<Record<string, string>>): Promise<Request>;
  /** Learns from an answer that sends us elsewhere; true where it is worth another request. */
  redirected?(response: Response): boolean;
}

export interface FetchLimits {
  /** How long an answer, or the next part of it, may take. */
  readonly stallMs: number;
  /** Attempts for what may pass: no answer, a cut connection, 429 and 5xx. */
  readonly attempts: number;
  /** Wait before the second attempt; doubles from then on. */
  readonly firstWaitMs: number;
}

const fetchLimits: FetchLimits = { stallMs: 30_000, attempts: 5, firstWaitMs: 250 };

/** Files up to this size are fetched at once and kept on disk. */
const wholeFileBytes = 256 * 2 ** 20;
const mostWaitMs = 30_000;

const gate = openGate(Number(process.env.PLATESTREAM_DOWNLOADS ?? 16));

/** Undefined where the server has no such file. */
export const fetchIfThere = async (
  remote: RemoteFile,
  limits: FetchLimits = fetchLimits,
  cache: DiskCache | undefined = openDiskCache(),
): Promise<Bytes | undefined> => {
  const kept = await cache?.find(remote.location);
  const headers: Record<string, string> = kept === undefined ? {} : { "if-none-match": kept.etag };
  const got = await withRetries(remote, headers, limits, async (response) => {
    if (response.status === 404) return "missing";
    if (response.status === 304) return "kept";
    const size = Number(response.headers.get("content-length") ?? Number.NaN);
    if (size > wholeFileBytes) return { size };
    return { content: await bodyOf(response, limits), etag: response.headers.get("etag") };
  });
  if (got === "missing") return undefined;
  if (got === "kept") return bytesInMemory(await kept!.read());
  if ("size" in got) return inPieces(remote, got.size, limits);
  if (got.content.length === 0) throw unreadable("the file is empty (0 bytes)");
  if (got.etag !== null) await cache?.keep(remote.location, got.etag, got.content);
  return bytesInMemory(got.content);
};

export const fetchFile = async (remote: RemoteFile, limits?: FetchLimits, cache?: DiskCache): Promise<Bytes> => {
  const found = await fetchIfThere(remote, limits, cache);
  if (found !== undefined) return found;
  throw unreadable("the file is missing: the server answers 404");
};

export const openUrl = (location: string): Promise<Bytes> => fetchFile(urlFile(location));

export const urlFile = (location: string): RemoteFile => ({
  location,
  request: async (headers) => new Request(location, { headers, redirect: "manual" }),
});

const inPieces = (remote: RemoteFile, size: number, limits: FetchLimits): Bytes => ({
  size,
  async read(offset, length) {
    requireInside(size, offset, length);
    const range = { range: `bytes=${offset}-${offset + length - 1}` };
    return withRetries(remote, range, limits, async (response) => {
      if (response.status !== 206)
        throw unreadable("the server does not give parts of a file, and it is too large to fetch at once");
      const piece = await bodyOf(response, limits);
      if (piece.length === length) return piece;
      throw new Passing(`the server sent ${piece.length} bytes instead of ${length}`);
    });
  },
  async close() {},
});

/** What another attempt may mend. */
class Passing extends Error {
  readonly waitMs: number | undefined;

  constructor(message: string, waitMs?: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

const withRetries = async <T>(
  remote: RemoteFile,
  headers: Readonly<Record<string, string>>,
  { stallMs, attempts, firstWaitMs }: FetchLimits,
  use: (response: Response) => Promise<T>,
): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await gate.run(() => oneAttempt(remote, headers, stallMs, use));
    } catch (thrown) {
      if (!(thrown instanceof Passing)) throw thrown;
      if (attempt >= attempts) throw unreadable(`${thrown.message}, ${attempts} times in a row`, thrown);
      const wait = thrown.waitMs ?? firstWaitMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      await sleep(Math.min(wait, mostWaitMs));
    }
  }
};

const oneAttempt = async <T>(
  remote: RemoteFile,
  headers: Readonly<Record<string, string>>,
  stallMs: number,
  use: (response: Response) => Promise<T>,
): Promise<T> => {
  const request = await remote.request({ ...headers, "accept-encoding": "identity" });
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), stallMs);
  let response: Response;
  try {
    response = await fetch(request, { signal: stop.signal });
  } catch (cause) {
    if (reasonOf(cause) === "ENOTFOUND") throw unreadable("no connection: there is no such server");
    throw new Passing(
      stop.signal.aborted ? `no answer within ${stallMs / 1000} s` : `no connection (${reasonOf(cause)})`,
    );
  } finally {
    clearTimeout(timer);
  }
  try {
    checkStatus(response, remote);
    return await use(response);
  } finally {
    if (!response.bodyUsed) await response.body?.cancel().catch(() => undefined);
  }
};

const checkStatus = (response: Response, { redirected }: RemoteFile): void => {
  const { status } = response;
  if (status === 200 || status === 206 || status === 304 || status === 404) return;
  if (redirected?.(response)) throw new Passing(`the server sends us elsewhere (${status})`, 0);
  if (status >= 300 && status < 400)
    throw unreadable(`the server sends us to ${response.headers.get("location") ?? "another address"}; name that one`);
  if (status === 401 || status === 403)
    throw unreadable(`no permission: the server answers ${status}; check the credentials, or whether the file exists`);
  if (status === 429 || status >= 500) {
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    throw new Passing(`the server answers ${status}`, Number.isFinite(seconds) ? 1000 * seconds : undefined);
  }
  throw unreadable(`the server answers ${status}`);
};

/** All of the body, which must be as long as the server said. */
const bodyOf = async (response: Response, { stallMs }: FetchLimits): Promise<Uint8Array> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    let timer: NodeJS.Timeout | undefined;
    const stalled = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Passing(`nothing came for ${stallMs / 1000} s`)), stallMs);
    });
    try {
      const { done, value } = await Promise.race([reader.read(), stalled]);
      if (done) break;
      parts.push(value);
      length += value.length;
    } catch (cause) {
      void reader.cancel().catch(() => undefined);
      throw cause instanceof Passing ? cause : new Passing(`the connection was cut after ${length} bytes`);
    } finally {
      clearTimeout(timer);
    }
  }
  const said = response.headers.get("content-length");
  if (said !== null && Number(said) !== length)
    throw new Passing(`the server sent ${length} bytes and said that it would send ${said}`);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
};

const reasonOf = (cause: unknown): string => {
  const { message, cause: deeper } = cause as Error & { readonly cause?: { readonly code?: string } };
  return deeper?.code ?? message;
};
