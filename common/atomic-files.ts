/** Files that are there whole or not at all, whatever happens to the process or the machine. */
import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PlatestreamError } from "./errors.ts";
import { readRegularFile } from "./read-file.ts";

/** Writes a file beside `path` and then puts it in its place; a function fills the file that it is given the path of. */
export const replaceFile = async (
  path: string,
  content: string | Uint8Array | ((part: string) => Promise<void>),
): Promise<void> => {
  const part = `${path}.part`;
  try {
    if (typeof content === "function") await content(part).then(() => flush(part));
    else await writeFile(part, content, { flush: true });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
  await flush(dirname(path));
};

/** Waits until a file, or the names in a folder, would survive a power cut. */
export const flush = async (path: string): Promise<void> => {
  const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EISDIR" || error.code === "EPERM") return undefined; // Windows opens no folders
    throw error;
  });
  await handle?.sync().catch(() => undefined); // some network drives cannot
  await handle?.close();
};

/**
 * Undefined where there is no such file.
 *
 * @throws PlatestreamError `invalid-data` where it is not JSON
 */
export const readJson = async <T>(path: string): Promise<T | undefined> => {
  const bytes = await readRegularFile(path).catch((error: PlatestreamError) => {
    if ((error.cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const text = bytes.toString("utf8");
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    const why = text === "" ? "it is empty" : (cause as Error).message;
    throw new PlatestreamError("invalid-data", `${path} must hold JSON, and is damaged: ${why}`, { cause });
  }
};

/** A name as a file name: everything but letters, digits and `-_.!~*'()` is escaped, and so is a leading dot. */
export const fileName = (name: string): string => encodeURIComponent(name).replace(/^\./, "%2E");

export const nameOfFile = (file: string): string => decodeURIComponent(file);

export const inFolder = (folder: string, name: string): string => join(folder, fileName(name));
