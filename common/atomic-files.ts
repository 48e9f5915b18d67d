/** Files that are there whole or not at all, whatever happens to the process. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Lets `write` fill a file beside `path`, then puts it in its place. */
export const replaceFile = async (path: string, write: (part: string) => Promise<void>): Promise<void> => {
  const part = `${path}.part`;
  try {
    await write(part);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
};

export const replaceText = (path: string, text: string): Promise<void> =>
  replaceFile(path, (part) => writeFile(part, text, { flush: true }));

/** Undefined where there is no such file. */
export const readJson = async <T>(path: string): Promise<T | undefined> => {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as T);
};

/** A name as a file name: everything but letters, digits and `-_.!~*'()` is escaped, and so is a leading dot. */
export const fileName = (name: string): string => encodeURIComponent(name).replace(/^\./, "%2E");

export const nameOfFile = (file: string): string => decodeURIComponent(file);

export const inFolder = (folder: string, name: string): string => join(folder, fileName(name));
