/** The program as users start it: a process of its own. */
import { execFile } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../cli/main.js");
const timeout = 120_000;

export interface Ended {
  /** Exit code, or the signal that ended it. */
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in `cwd`, with `environment` added to that of the tests. */
export const runCommand = (
  cwd: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    execFile(process.execPath, [main, ...args], { cwd, timeout, env }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr }),
    );
  });
