/** Files of this machine: regular ones only, and none may keep anybody waiting for ever. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { unreadable } from "../unreadable.ts";
import { type Bytes, bytesInMemory, requireInside } from "./bytes.ts";

/** Files up to this size are read at once. */
const wholeFileBytes = 64 * 2 ** 20;

/** How long one read may take: a dead network mount never answers. */
const readTimeoutMs = 60_000;

export const openLocalFile = async (path: string, timeoutMs = readTimeoutMs): Promise<Bytes> => {
  // Without O_NONBLOCK, opening a FIFO waits for a writer.
  const opening = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const file = await inTime(opening, timeoutMs).catch((cause) => {
    opening.then(
      (late) => late.close(),
      () => undefined,
    );
    throw explain(cause);
  });
  try {
    const found = await inTime(file.stat(), timeoutMs);
    if (!found.isFile()) throw unreadable(found.isDirectory() ? "this is a folder, not a file" : notRegular);
    const { size } = found;
    if (size === 0) throw unreadable("the file is empty (0 bytes)");
    const readPiece = async (offset: number, length: number): Promise<Uint8Array> => {
      requireInside(size, offset, length);
      const piece = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await inTime(file.read(piece, done, length - done, offset + done), timeoutMs);
        if (bytesRead === 0) throw unreadable("the file became shorter while it was read");
        done += bytesRead;
      }
      return piece;
    };
    if (size > wholeFileBytes) return { size, read: readPiece, close: () => file.close() };
    const content = await readPiece(0, size);
    await file.close();
    return bytesInMemory(content);
  } catch (cause) {
    void file.close().catch(() => undefined);
    throw explain(cause);
  }
};

const notRegular = "this is not a regular file (a pipe, socket or device); only regular files are read";

const inTime = async <T>(work: Promise<T>, timeoutMs: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const words = `the file system did not answer within ${timeoutMs / 1000} s; is the disk or network mount alive?`;
    timer = setTimeout(() => reject(unreadable(words)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

const explanations: Readonly<Record<string, string>> = {
  ENOENT: "the file is missing",
  ENOTDIR: "the file is missing: a part of its path is a file, not a folder",
  EACCES: "no permission to read the file",
  EPERM: "no permission to read the file",
  ELOOP: "the path is a loop of symbolic links",
  ENAMETOOLONG: "the path is too long",
  ENXIO: notRegular,
  EIO: "the disk reports an input/output error",
  ESTALE: "the network mount has lost the file (stale file handle)",
};

const explain = (cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException;
  const words = code === undefined ? undefined : explanations[code];
  if (words !== undefined) return unreadable(words, cause);
  return (cause as Error).name === "PlatestreamError" ? cause : unreadable((cause as Error).message, cause);
};
