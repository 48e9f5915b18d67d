/** Commands that are run to their end, whatever they are. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
  /** It did not end by itself, and was killed. */
  readonly late: boolean;
  /** Most memory that the process itself held at a time. */
  readonly peakMiB: number;
}

export interface RunOptions {
  readonly limitSeconds?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Seconds after which it gets SIGINT. */
  readonly interruptAfter?: readonly number[];
}

const running = new Set<ChildProcess>();
/** Kills what still runs, with the group that it started. */
export const killAll = (): void => {
  for (const child of running) killGroup(child);
};
process.on("exit", killAll);

const killGroup = ({ pid }: ChildProcess): void => {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // gone by itself
  }
};

/** What is kept of each of its outputs: the end. */
const keptCharacters = 200_000;

export const runToEnd = async (
  command: string,
  args: readonly string[],
  { limitSeconds = 60, env = {}, cwd, interruptAfter = [] }: RunOptions = {},
): Promise<Ended> => {
  const started = Date.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    detached: true, // a group of its own, so that it can be killed with all that it started
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.add(child);
  const texts = { out: "", err: "" };
  const keep = (name: "out" | "err") => (chunk: Buffer) => {
    texts[name] = (texts[name] + chunk.toString("utf8")).slice(-keptCharacters);
  };
  child.stdout.on("data", keep("out"));
  child.stderr.on("data", keep("err"));
  let late = false;
  let peakMiB = 0;
  const look = setInterval(() => {
    peakMiB = Math.max(peakMiB, residentMiB(child.pid!));
  }, 200);
  const timers = [
    setTimeout(() => {
      late = true;
      killGroup(child);
    }, limitSeconds * 1000),
    ...interruptAfter.map((seconds) => setTimeout(() => child.kill("SIGINT"), seconds * 1000)),
  ];
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  for (const timer of [...timers, look]) clearTimeout(timer);
  killGroup(child);
  running.delete(child);
  return { code, signal, ...texts, seconds: (Date.now() - started) / 1000, late, peakMiB };
};

/** Most memory that a process has held so far; 0 where it is gone. */
export const residentMiB = (pid: number): number => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
};
