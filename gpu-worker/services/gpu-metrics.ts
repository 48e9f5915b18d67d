/** Load, power and memory of this machine's NVIDIA GPUs, under Triton's names, as `nvidia-smi` tells them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Metrics } from "../../common/observe/metrics.ts";

const run = promisify(execFile);

/** What is asked of the program, and how its numbers become those of a metric. */
const columns = [
  {
    name: "nv_gpu_utilization",
    asks: "utilization.gpu",
    factor: 0.01,
    help: "Share of the last second that the GPU computed, 0 to 1",
  },
  { name: "nv_gpu_power_usage", asks: "power.draw", factor: 1, help: "Power that the GPU draws, watts" },
  { name: "nv_gpu_memory_used_bytes", asks: "memory.used", factor: 2 ** 20, help: "Memory of the GPU in use, bytes" },
  { name: "nv_gpu_memory_total_bytes", asks: "memory.total", factor: 2 ** 20, help: "Memory of the GPU, bytes" },
] as const;

const query = [
  `--query-gpu=${["uuid", ...columns.map(({ asks }) => asks)].join(",")}`,
  "--format=csv,noheader,nounits",
];

/** It hangs where a driver does. */
const timeoutMs = 5_000;

/** All four metrics of one scrape come from one reading. */
const freshMs = 500;

interface Gpu {
  readonly uuid: string;
  /** In the order of `columns`; NaN where the GPU does not tell. */
  readonly values: readonly number[];
}

const readGpus = async (program: string): Promise<readonly Gpu[]> => {
  const { stdout } = await run(program, query, { timeout: timeoutMs });
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line.includes(","))
    .map((line) => {
      const [uuid, ...values] = line.split(",").map((cell) => cell.trim());
      return { uuid: uuid!, values: values.map((text) => (text === "" ? Number.NaN : Number(text))) };
    });
};

/** Resolves to why there are no numbers, or to undefined: then they are among the metrics. Never throws. */
export const watchGpus = async (metrics: Metrics, program = "nvidia-smi"): Promise<string | undefined> => {
  try {
    const gpus = await readGpus(program);
    if (gpus.length === 0) return `${program} names no GPU`;
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    return code === "ENOENT" ? `there is no ${program} on this machine` : message.trim();
  }
  let latest: Promise<readonly Gpu[]> | undefined;
  const fresh = (): Promise<readonly Gpu[]> => {
    if (latest === undefined) {
      latest = readGpus(program).catch(() => []);
      setTimeout(() => {
        latest = undefined;
      }, freshMs).unref();
    }
    return latest;
  };
  for (const [at, { name, help, factor }] of columns.entries()) {
    metrics.gauge(name, help, ["gpu_uuid"], async () =>
      (await fresh()).flatMap(({ uuid, values }) => {
        const value = values[at];
        return value === undefined || Number.isNaN(value) ? [] : [[{ gpu_uuid: uuid }, value * factor] as const];
      }),
    );
  }
  return undefined;
};
