/** A program of a bench in a process of its own, which answers with a line of JSON. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs `program`, a file beside this one; undefined where it ends or hangs without an answer. */
export const jsonProcess = async <T>(
  program: string,
  parameters: readonly string[],
  timeoutMs: number,
): Promise<T | undefined> => {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const limits = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 2 ** 26 } as const;
  const { stdout = "" } = await execute(process.execPath, [file, ...parameters], limits).catch(
    (failure: { stdout?: string }) => failure,
  );
  const line = stdout.split("\n").find((each) => each.startsWith("{"));
  return line === undefined ? undefined : (JSON.parse(line) as T);
};
