/** Folders that somebody names for results. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { PlatestreamError } from "./errors.ts";

/**
 * Makes a folder, and those above it, where there are none. Not `mkdir` with `recursive`, which never returns where a file
 * system makes no folders, as in `/proc/results`.
 *
 * @throws PlatestreamError `invalid-config`
 */
export const makeFolder = async (path: string): Promise<void> => {
  try {
    await make(resolve(path));
  } catch (cause) {
    throw new PlatestreamError("invalid-config", `${path} cannot be a folder for results: ${reasonOf(cause)}`, {
      cause,
    });
  }
};

const make = async (path: string): Promise<void> => {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || code === "EISDIR") {
      if ((await stat(path)).isDirectory()) return;
      throw new Error(`${path} is a file`);
    }
    if (code !== "ENOENT" || dirname(path) === path || (await exists(dirname(path)))) throw error;
    await make(dirname(path));
    await make(path);
  }
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const reasonOf = (cause: unknown): string => {
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "no folder can be made there";
    case "ENOTDIR":
      return "a part of its path is a file, not a folder";
    case "ELOOP":
      return "its symbolic links lead in a circle";
    case "EACCES":
    case "EPERM":
      return "this user may make none there";
    case "EROFS":
      return "that disk can only be read";
    case "ENAMETOOLONG":
      return "its name is too long";
    default:
      return message;
  }
};
