/** Reads files that somebody else names: none may keep us waiting for ever, and what is wrong is said in words. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, PlatestreamError } from "./errors.ts";

/** How long a disk, a network mount or the writer of a pipe may take to answer. */
const patienceMs = 10_000;

export interface ReadOptions {
  /** Of the error. */
  readonly code: ErrorCode;
  /** What the error calls it. */
  readonly called: string;
  /** Largest that is read. */
  readonly maxBytes: number;
  /** A pipe will do, as in `--config <(make-config)`, if somebody writes to it. */
  readonly pipes: boolean;
}

/** The file that an option names; `option` is its name, as in `--config`. */
export const readOptionFile = (option: string, path: string): Promise<Buffer> =>
  readWhole(path, { code: "invalid-config", called: `${option} ${path}`, maxBytes: 2 ** 26, pipes: true });

/** Opens a regular file: no FIFO, socket or device. */
export const openRegularFile = (path: string, code: ErrorCode = "invalid-data"): Promise<FileHandle> =>
  openFor(path, { code, called: path, maxBytes: Number.POSITIVE_INFINITY, pipes: false });

/** Reads all of a regular file. */
export const readRegularFile = (path: string, code: ErrorCode = "invalid-data", called = path): Promise<Buffer> =>
  readWhole(path, { code, called, maxBytes: Number.POSITIVE_INFINITY, pipes: false });

const readWhole = async (path: string, options: ReadOptions): Promise<Buffer> => {
  const handle = await openFor(path, options);
  try {
    const found = await handle.stat();
    if (found.size > options.maxBytes) throw tooLarge(options);
    return found.isFile() ? await handle.readFile() : await readPipe(handle, options);
  } catch (cause) {
    throw unreadable(options, cause);
  } finally {
    await handle.close();
  }
};

const openFor = async (path: string, options: ReadOptions): Promise<FileHandle> => {
  // Without O_NONBLOCK, opening a FIFO waits for somebody who writes to it.
  const opening = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const late = new AbortController();
  const handle = await Promise.race([
    opening,
    sleep(patienceMs, undefined, { signal: late.signal, ref: false }).then(() => {
      opening.then(
        (opened) => opened.close(),
        () => undefined,
      );
      throw new Error(
        `the file system did not answer within ${patienceMs / 1000} s; is the disk or network mount alive?`,
      );
    }),
  ]).catch((cause) => {
    throw unreadable(options, cause);
  });
  late.abort();
  const found = await handle.stat();
  if (found.isFile() || (options.pipes && found.isFIFO())) return handle;
  await handle.close();
  const kind = found.isDirectory() ? "a folder" : found.isFIFO() ? "a pipe" : "a device or socket";
  throw unreadable(options, new Error(`it is ${kind}, not a regular file`));
};

const readPipe = async (handle: FileHandle, options: ReadOptions): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  let length = 0;
  for (let waited = 0; waited < patienceMs; ) {
    const { bytesRead, buffer } = await handle
      .read(Buffer.alloc(2 ** 16), 0, 2 ** 16, null)
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code === "EAGAIN") return { bytesRead: -1, buffer: Buffer.alloc(0) };
        throw error;
      });
    if (bytesRead === 0 && length > 0) return Buffer.concat(pieces);
    if (bytesRead <= 0) {
      await sleep(50);
      waited += 50;
      continue;
    }
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
    waited = 0;
    if (length > options.maxBytes) throw tooLarge(options);
  }
  throw new Error(`it is a pipe, and nobody writes to it for ${patienceMs / 1000} s`);
};

const tooLarge = ({ maxBytes }: ReadOptions): Error => new Error(`it holds more than ${maxBytes >> 20} MiB`);

const unreadable = ({ code, called }: ReadOptions, cause: unknown): PlatestreamError =>
  cause instanceof PlatestreamError
    ? cause
    : new PlatestreamError(code, `${called} cannot be read: ${reasonOf(cause as NodeJS.ErrnoException)}`, { cause });

/** What the system says, in words. */
export const reasonOf = (cause: NodeJS.ErrnoException): string => {
  switch (cause.code) {
    case "ENOENT":
      return "there is no such file";
    case "ENOTDIR":
      return "a part of its path is a file, not a folder";
    case "EACCES":
    case "EPERM":
      return "this user may not read it";
    case "ELOOP":
      return "its symbolic links lead in a circle";
    case "ENAMETOOLONG":
      return "its name is too long";
    case "ENXIO":
      return "it is a socket, not a regular file";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open; allow more with `ulimit -n`";
    default:
      return cause.message;
  }
};
