/** What could compute on this machine, what does, and what keeps the rest from it. */
import { execFile } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ProbeAnswer } from "./probe-process.ts";
import type { Precision } from "./runtime.ts";
import { onProcessor, runtimes } from "./runtimes.ts";

const execute = promisify(execFile);

export interface Processor {
  readonly name: string;
  readonly memoryMiB: number;
}

export interface ProviderReport {
  readonly runtime: string;
  readonly provider: string;
  readonly precision: Precision;
  /** It computed a small network in all modes, and the numbers were those of the reference. */
  readonly runs: boolean;
  /** The hardware it runs on, where that is known. */
  readonly device?: Processor | undefined;
  /** Why it does not run, and what to do. */
  readonly reason?: string;
  readonly advice?: string;
}

export interface DiagnoseOptions {
  /** How long one provider may take. */
  readonly timeoutMs: number;
  readonly precision: Precision;
  readonly signal?: AbortSignal;
}

/** The graphics cards that NVIDIA's driver knows; none without it. */
export const nvidiaCards = async (): Promise<readonly Processor[]> => {
  try {
    const query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
    const { stdout } = await execute("nvidia-smi", query, { timeout: 10_000 });
    const rows = stdout.trim().split("\n");
    return rows.map((row) => {
      const [name, memory] = row.split(", ") as [string, string];
      return { name, memoryMiB: Number(memory) };
    });
  } catch {
    return [];
  }
};

const onGpu = (provider: string): boolean => !onProcessor.includes(provider);

const adviceFor = (runtime: string, provider: string, cards: readonly Processor[]): string => {
  if (runtime === "tfjs" && !onGpu(provider)) return "only needed with --runtime tfjs";
  if (provider === "cuda" || provider === "tensorflow-gpu") {
    return cards.length === 0
      ? "needs an NVIDIA card and its driver (nvidia-smi lists neither)"
      : "install CUDA 12, cuDNN 9 and the library of ONNX Runtime: docs/gpu.md has the command";
  }
  if (provider === "webgpu")
    return "needs a driver with Vulkan and the Vulkan loader (Debian: libvulkan1); docs/gpu.md";
  return "reinstall with npm ci, and report it if that does not help";
};

/** The last of what a process wrote that ended without an answer. */
const lastWords = ({
  killed,
  signal,
  code,
  stderr,
}: {
  killed?: boolean;
  signal?: string;
  code?: number;
  stderr?: string;
}) =>
  killed === true
    ? "it did not answer in time"
    : `the process ended with ${signal ?? `exit code ${code}`}${stderr ? `: ${stderr.trim().split("\n").at(-1)}` : ""}`;

const probe = async (
  runtime: string,
  provider: string,
  { timeoutMs, precision, signal }: DiagnoseOptions,
): Promise<ProbeAnswer> => {
  const program = fileURLToPath(new URL("./probe-process.js", import.meta.url));
  const limits = { timeout: timeoutMs, killSignal: "SIGKILL", ...(signal && { signal }) } as const;
  const { stdout, ...ending } = await execute(process.execPath, [program, runtime, provider, precision], limits).catch(
    (failure: { stdout?: string; stderr?: string; killed?: boolean; signal?: string; code?: number }) => failure,
  );
  const line = (stdout ?? "").split("\n").find((each) => each.startsWith("{"));
  return line === undefined ? { runs: false, reason: lastWords(ending) } : JSON.parse(line);
};

/** Tries every runtime on every provider, one after the other, each in a process of its own. */
export async function* diagnoseProviders(given: Partial<DiagnoseOptions> = {}): AsyncGenerator<ProviderReport> {
  const options = { timeoutMs: 120_000, precision: "float32" as const, ...given };
  const { precision } = options;
  const cards = await nvidiaCards();
  const processor = { name: cpus()[0]?.model.trim() ?? "unknown", memoryMiB: Math.round(totalmem() / 2 ** 20) };
  for (const { name: runtime, providers } of runtimes) {
    for (const provider of providers) {
      const answer = await probe(runtime, provider, options);
      const device = onGpu(provider) ? cards[0] : processor;
      yield answer.runs
        ? { runtime, provider, precision, runs: true, device }
        : {
            ...{ runtime, provider, precision, runs: false, reason: answer.reason },
            advice: adviceFor(runtime, provider, cards),
          };
    }
  }
}
