/** A worker that a run starts for itself, as a process of its own, and ends. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ErrorCode, errorCodes, PlatestreamError } from "../../common/errors.ts";
import { type LogLine, readLogLine } from "../../common/observe/log.ts";
import type { Status } from "../run/status.ts";

export interface LocalWorker {
  /** `127.0.0.1:PORT`, the same after a restart. */
  readonly address: string;
  close(): Promise<void>;
}

export interface LocalWorkerOptions {
  /** Program and first arguments; `--model BUNDLE --listen ADDRESS --json --exit-with-parent` follow. */
  readonly command: readonly string[];
  /** Times that a worker that dies is started again. */
  readonly restarts: number;
  /** How long it may take to be ready. */
  readonly startMs: number;
  /** How long it may take to end before it is killed. */
  readonly graceMs: number;
  /** Takes the log lines that it writes. */
  readonly onLog?: (line: LogLine) => void;
}

export const defaultLocalWorker: LocalWorkerOptions = {
  command: [process.execPath, fileURLToPath(new URL("../../cli/main.js", import.meta.url)), "worker"],
  restarts: 5,
  startMs: 120_000,
  graceMs: 10_000,
};

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Started {
  readonly child: Child;
  /** Resolves when it is ready, rejects with its own words when it ends before. */
  readonly ready: Promise<string>;
  /** Resolves to how it ended. */
  readonly ended: Promise<string>;
}

/**
 * Starts a worker for a bundle and waits until it is ready: until it writes a line of JSON of type `ready` with its
 * `address` on stdout. Its stdin stays open while this process lives, and the worker ends when it closes: it cannot
 * outlive whoever started it. A worker that cannot start is an error with its own words.
 */
export const startLocalWorker = async (
  bundle: string,
  onStatus: (status: Status) => void,
  options: LocalWorkerOptions = defaultLocalWorker,
): Promise<LocalWorker> => {
  const closing = new AbortController();
  let current = start(bundle, "127.0.0.1:0", options);
  const address = await current.ready;

  const watch = async (): Promise<void> => {
    for (let restart = 1; ; restart++) {
      const how = await current.ended;
      if (closing.signal.aborted) return;
      if (restart > options.restarts) {
        return onStatus({ type: "worker", address, state: "lost", detail: `${how}; it is not started again` });
      }
      onStatus({
        type: "worker",
        address,
        state: "starting",
        detail: `${how}; start ${restart} of ${options.restarts}`,
      });
      await sleep(100 * 2 ** restart, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return;
      current = start(bundle, address, options);
      await current.ready.catch(() => undefined);
    }
  };
  const watching = watch();

  return {
    address,
    async close() {
      closing.abort();
      await end(current, options.graceMs);
      await watching;
    },
  };
};

const start = (bundle: string, listen: string, { command, startMs, onLog }: LocalWorkerOptions): Started => {
  const [program, ...first] = command;
  const child = spawn(program!, [...first, "--model", bundle, "--listen", listen, "--json", "--exit-with-parent"], {
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: Ctrl-C in a terminal is for the run, which still needs the worker to finish what it does.
    detached: true,
  });
  // A worker that ends early must not end this process with EPIPE.
  child.stdin.on("error", () => undefined);
  const words: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    const logged = readLogLine(line);
    if (logged !== undefined) return onLog?.(logged);
    words.push(line);
    words.splice(0, words.length - 20);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`it cannot be started: ${error.message}`));
    child.once("close", (code, signal) =>
      resolve([`it ended with ${signal === null ? `exit code ${code}` : signal}`, ...words].join("\n")),
    );
  });
  const ready = new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new PlatestreamError("deadline", `the worker for ${bundle} was not ready within ${startMs} ms`));
    }, startMs);
    const inTime = readyLine(child).then(resolve);
    const before = ended.then((how) => reject(failure(bundle, how, words)));
    void Promise.race([inTime, before]).finally(() => clearTimeout(late));
  });
  return { child, ready, ended };
};

/** The address in the ready line. Never settles when none comes. */
const readyLine = (child: Child): Promise<string> =>
  new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { type, address } = readLine(line);
      if (type === "ready" && address !== undefined) resolve(address);
    });
  });

const readLine = (line: string): { readonly type?: string; readonly address?: string } => {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
};

/** What the worker said last is what is wrong: `pipeline: [code] message`. */
const failure = (bundle: string, how: string, words: readonly string[]): PlatestreamError => {
  const [, code, message] = /^pipeline: \[([a-z-]+)\] (.*)$/s.exec(words.join("\n")) ?? [];
  if (code === undefined || !Object.hasOwn(errorCodes, code)) {
    return new PlatestreamError("worker-unavailable", `the worker for ${bundle} did not start: ${how}`);
  }
  return new PlatestreamError(code as ErrorCode, `the worker for ${bundle} did not start: ${message}`);
};

const end = async ({ child, ended }: Started, graceMs: number): Promise<void> => {
  child.stdin.end();
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(timer);
};
