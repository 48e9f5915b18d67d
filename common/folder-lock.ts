/** One process per folder. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { PlatestreamError } from "./errors.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began: tells it from a later one with the same number. */
  readonly since: number;
}

/** Locks the folder for this process and returns what unlocks it. A lock that a dead process left is taken over. */
export const lockFolder = async (folder: string): Promise<() => Promise<void>> => {
  const path = join(folder, "run.lock");
  const own: Holder = { pid: process.pid, host: hostname(), since: performance.timeOrigin };
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(own), { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readHolder(path);
    if (holder !== undefined && isAlive(holder, own)) {
      throw new PlatestreamError(
        "invalid-config",
        `only one process may write to a run's folder, and process ${holder.pid} on ${holder.host} writes to ${folder}; ` +
          `wait for it, use another --out, or delete ${path} if that process is gone`,
      );
    }
    await rm(path, { force: true });
  }
};

/** Undefined where the lock is gone by now, or was cut off while it was written. */
const readHolder = async (path: string): Promise<Holder | undefined> => {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch {
    return undefined;
  }
};

/** A process on another machine cannot be asked: it counts as alive. */
const isAlive = ({ pid, host, since }: Holder, own: Holder): boolean => {
  if (host !== own.host) return true;
  if (pid === own.pid) return since === own.since;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};
