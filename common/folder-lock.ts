/**
 * One process per folder.
 *
 * Every holder has a number, `.lock/1`, `.lock/2`, …, and the folder belongs to the highest. Whoever finds that its holder
 * has ended or let go takes the next number by a rename, which succeeds for one process only. Numbers never fall, so a
 * slow process that took a number already passed sees the higher one and steps back.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readJson, replaceFile } from "./atomic-files.ts";
import { PlatestreamError } from "./errors.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began: distinguishes it from a later one with the same number. */
  readonly since: string;
  readonly id: string;
}

/**
 * Locks the folder for this process and returns what unlocks it. A lock whose process has ended is taken over.
 *
 * @throws PlatestreamError `invalid-config` when another process has it
 */
export const lockFolder = async (folder: string): Promise<() => Promise<void>> => {
  const locks = join(folder, ".lock");
  const since = (await startOf(process.pid))!;
  const own: Holder = { pid: process.pid, host: hostname(), since, id: randomUUID() };
  await mkdir(locks, { recursive: true });
  for (;;) {
    const last = await highest(locks);
    const holder = await readHolder(locks, last);
    if (holder !== undefined && (await isAlive(holder))) throw held(folder, holder);
    if (!(await take(locks, last + 1, own))) continue;
    if ((await highest(locks)) === last + 1) {
      await removeAllBut(locks, last + 1);
      return () => release(locks, last + 1, own);
    }
    await rm(join(locks, String(last + 1)), { recursive: true, force: true });
  }
};

const held = (folder: string, { pid, host }: Holder): PlatestreamError =>
  new PlatestreamError(
    "invalid-config",
    `only one process may write to a folder, and process ${pid} on ${host} writes to ${folder}; ` +
      `wait for it, use another --out, or delete ${join(folder, ".lock")} if that process is gone`,
  );

/** 0: nobody ever had it. */
const highest = async (locks: string): Promise<number> =>
  Math.max(0, ...(await readdir(locks)).map(Number).filter(Number.isInteger));

const holderFile = (locks: string, number: number): string => join(locks, String(number), "holder.json");

/** Undefined: it has let go. */
const readHolder = async (locks: string, number: number): Promise<Holder | undefined> => {
  const holder = await readJson<Partial<Holder>>(holderFile(locks, number)).catch(() => undefined);
  return holder?.id === undefined ? undefined : (holder as Holder);
};

/** False: another process was first. */
const take = async (locks: string, number: number, own: Holder): Promise<boolean> => {
  const prepared = join(locks, `new-${own.id}`);
  try {
    await mkdir(prepared, { recursive: true });
    await writeFile(join(prepared, "holder.json"), JSON.stringify(own), { flush: true });
    await rename(prepared, join(locks, String(number)));
    return true;
  } catch (error) {
    await rm(prepared, { recursive: true, force: true });
    const { code = "" } = error as NodeJS.ErrnoException;
    // ENOENT: the new holder has tidied up; EPERM is what Windows says of a folder that is there.
    if (["ENOTEMPTY", "EEXIST", "ENOENT", "EPERM"].includes(code) && (await highest(locks)) >= number) return false;
    throw error;
  }
};

const removeAllBut = async (locks: string, number: number): Promise<void> => {
  const others = (await readdir(locks)).filter((name) => name !== String(number));
  await Promise.all(others.map((name) => rm(join(locks, name), { recursive: true, force: true })));
};

/** Its number stays, so that the next one is higher. */
const release = async (locks: string, number: number, own: Holder): Promise<void> => {
  if ((await readHolder(locks, number))?.id === own.id) await replaceFile(holderFile(locks, number), "{}\n");
};

/** A process on another machine cannot be asked: it counts as alive. */
const isAlive = async ({ host, pid, since }: Holder): Promise<boolean> => {
  if (host !== hostname()) return true;
  const start = await startOf(pid);
  return start === since || start === unknown;
};

const unknown = "unknown";

/** In the words of the system, so that only equality counts; undefined: there is no such process. */
const startOf = async (pid: number): Promise<string | undefined> => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
  }
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => ({
      stdout: "",
    }));
    return stdout.trim() || unknown;
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return unknown;
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return state === "Z" || state === "X" ? undefined : `${boot.trim()} ${rest[18]}`;
};
