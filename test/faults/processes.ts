/** The program as real processes, each followed through what it says in lines of JSON. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** No test waits half as long for anything. */
const patienceMs = 180_000;

/** Another build may be tried: PLATESTREAM_PROGRAM is the path of its main.js. */
export const program = process.env.PLATESTREAM_PROGRAM ?? join(import.meta.dirname, "../../cli/main.js");

/** One line of `--json`: its type, and what of the rest is looked at here. */
export interface Said {
  readonly type: string;
  /** ISO 8601 */
  readonly time?: string;
  readonly experiment?: string;
  readonly state?: string;
  readonly address?: string;
  readonly detail?: string;
  readonly message?: string;
  readonly plates?: readonly { readonly sites: number }[];
}

export interface Process {
  readonly name: string;
  readonly pid: number;
  readonly said: readonly Said[];
  /** The last lines of its stderr. */
  readonly complaints: readonly string[];
  /**
   * Waits for a line, those that were said already included. Rejects when the process ends before, or does not say it
   * within three minutes.
   */
  hear(wanted: (said: Said) => boolean): Promise<Said>;
  running(): boolean;
  signal(name: NodeJS.Signals): void;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts `pipeline ARGS`; `wrap` is the command that starts it, where there is one. */
export const startPipeline = (name: string, args: readonly string[], wrap: readonly string[] = []): Process => {
  const [command, ...rest] = [...wrap, process.execPath, program, ...args];
  const child = spawn(command!, rest, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const said: Said[] = [];
  const complaints: string[] = [];
  const listeners = new Set<() => void>();
  const wake = () => {
    for (const each of listeners) each();
  };
  let gone = false;
  const ended = once(child, "close").then(([code]: (number | null)[]) => {
    gone = true;
    running.delete(child);
    wake();
    return code!;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) said.push(JSON.parse(line) as Said);
    wake();
  });
  createInterface({ input: child.stderr }).on("line", (line) => complaints.splice(0, complaints.push(line) - 20));
  return {
    name,
    pid: child.pid!,
    said,
    complaints,
    hear: (wanted) =>
      new Promise((resolve, reject) => {
        let next = 0;
        const settle = () => {
          clearTimeout(patience);
          listeners.delete(look);
        };
        const fail = (what: string) => {
          settle();
          const lines = said.slice(-20).map((each) => JSON.stringify(each).slice(0, 300));
          reject(new Error([`${name} ${what}; its last lines:`, ...lines, ...complaints].join("\n")));
        };
        const look = () => {
          for (; next < said.length; next++) {
            const each = said[next]!;
            if (!wanted(each)) continue;
            settle();
            return resolve(each);
          }
          if (gone) fail("ended");
        };
        const patience = setTimeout(fail, patienceMs, `did not say it in ${patienceMs / 1000} s: ${wanted}`);
        listeners.add(look);
        look();
      }),
    running: () => !gone,
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    ended,
  };
};

/** Runs `pipeline ARGS` to its end, or for three minutes, and returns what it printed. */
export const runPipeline = async (...args: string[]): Promise<string> => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let out = "";
  let complaints = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  const patience = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  const [code] = await once(child, "close");
  clearTimeout(patience);
  running.delete(child);
  if (code !== 0) throw new Error(`pipeline ${args.join(" ")} ended with ${code}: ${out.slice(-1_000)} ${complaints}`);
  return out;
};
