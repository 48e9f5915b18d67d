/**
 * Shared memory of this host: files of `/dev/shm`, which processes read and write without a socket between them. They are
 * read, not mapped: a file that somebody cuts short is an error, and no fault of the processor.
 */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readSync, statfsSync } from "node:fs";
import { PlatestreamError } from "./errors.ts";

export const sharedMemoryFolder = "/dev/shm";

const tmpfs = 0x01021994;

const refused = (message: string) => new PlatestreamError("invalid-request", message);

/**
 * The folder of this user's files, into which nobody else may look; made where there is none.
 *
 * @throws PlatestreamError `not-served` where the host has no shared memory, or somebody else has taken the name
 */
export const ownSharedFolder = (root: string = sharedMemoryFolder): string => {
  const user = process.getuid?.();
  if (user === undefined) throw new PlatestreamError("not-served", "this system has no shared memory in files");
  const folder = `${root}/platestream-${user}`;
  try {
    if (statfsSync(root).type !== tmpfs) throw new Error(`${root} is not in memory`);
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const found = lstatSync(folder);
    if (found.isDirectory() && found.uid === user && (found.mode & 0o077) === 0) return folder;
  } catch (cause) {
    throw new PlatestreamError("not-served", `no shared memory in ${root}: ${(cause as Error).message}`, { cause });
  }
  throw new PlatestreamError("not-served", `${folder} is not a folder of this user's alone (mode 0700); remove it`);
};

/**
 * Opens a file of a folder by its name: neither another folder's, nor a link, nor a pipe that would keep everybody waiting.
 *
 * @throws PlatestreamError `invalid-request`
 */
export const openSharedFile = (folder: string, name: string, flags: number): number => {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw refused(`the key of shared memory is a name without a folder, not "${name}"`);
  }
  try {
    return openSync(`${folder}/${name}`, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw refused(`shared memory "${name}" cannot be opened: ${(cause as Error).message}`);
  }
};

/** Opens a file that this user made, to read it. Throws as `openSharedFile`. */
export const openOwnSharedFile = (folder: string, name: string): number => {
  const file = openSharedFile(folder, name, constants.O_RDONLY);
  const found = fstatSync(file);
  if (found.isFile() && found.uid === process.getuid?.()) return file;
  closeSync(file);
  throw refused(`shared memory "${name}" is not a file of the user whom this process runs as`);
};

/** Fills `into`. Throws "invalid-request" where the file ends before. */
export const readShared = (file: number, into: Uint8Array, from: number, name: string): void => {
  for (let at = 0; at < into.byteLength; ) {
    const read = readSync(file, into, at, into.byteLength - at, from + at);
    if (read === 0) throw refused(`shared memory "${name}" ends before what it is said to hold`);
    at += read;
  }
};
