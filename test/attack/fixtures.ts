/** What all rows share: small experiments, a bundle, a finished run, and a worker that is started again when it died. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../bus/nats-server.ts";
import { type Process, runPipeline, startPipeline } from "../faults/processes.ts";

export interface RunningWorker extends Process {
  readonly address: string;
  /** `http://host:port` of its probes. */
  readonly probes: string;
}

export interface Fixtures {
  readonly data: string;
  readonly model: string;
  /** Experiments, and how many of their wells are called. */
  readonly experiments: readonly string[];
  readonly wells: number;
  /** Results of a run that went well, with the path of its folder replaced by `folder`. */
  copyResults(folder: string): Promise<string>;
  /** How many times longer than on an idle machine an undisturbed run took: limits are so much longer, too. */
  readonly slowness: number;
  readonly calls: string;
  readonly profiles: Buffer;
  /** The worker that rows without needs of their own send things to. */
  worker(): Promise<RunningWorker>;
  /** Whether it has died since it was last asked for. */
  workerDied(): boolean;
  close(): Promise<void>;
}

/** What the run of the fixtures takes where nothing else runs, at most. */
const idleSeconds = 5;

export const experiments = ["HUVEC-01", "HUVEC-02"] as const;

export const openFixtures = async (folder: string): Promise<Fixtures> => {
  const [data, model, results] = [join(folder, "data"), join(folder, "model"), join(folder, "results")];
  const size = ["--size", "32", "--classes", "6", "--plates", "2", "--positive-controls", "2"];
  await runPipeline("data", "synth", data, "--experiments", experiments.join(","), ...size);
  await runPipeline("model", "new", "--arch", "densenet-small", "--size", "32", "--layout", data, "--out", model);
  let running: RunningWorker | undefined;
  const worker = async (): Promise<RunningWorker> => {
    if (running?.running() !== true) running = await startWorker("worker", ["--model", model]);
    return running;
  };
  const { address } = await worker();
  const started = Date.now();
  await runPipeline("start", "--data", data, "--worker", address, "--out", results, "--json");
  const slowness = Math.max(1, (Date.now() - started) / 1000 / idleSeconds);
  const calls = await readFile(join(results, "calls.csv"), "utf8");
  return {
    data,
    model,
    slowness,
    experiments,
    wells: calls.trimEnd().split("\n").length - 1,
    async copyResults(to) {
      await cp(results, to, { recursive: true });
      return to;
    },
    calls,
    profiles: await readFile(join(results, "profiles.parquet")),
    worker,
    workerDied: () => running?.running() === false,
    async close() {
      await running?.kill();
    },
  };
};

/** With probes, on one thread. */
export const startWorker = async (
  name: string,
  options: readonly string[],
  wrap: readonly string[] = [],
): Promise<RunningWorker> => {
  const probes = `127.0.0.1:${await freePort()}`;
  const ports = ["--listen", "127.0.0.1:0", "--metrics-listen", probes];
  const args = ["worker", ...options, ...ports, "--provider", "cpu", "--threads", "1", "--json"];
  const worker = startPipeline(name, args, wrap);
  const { address } = await worker.hear(({ type }) => type === "ready");
  return { ...worker, address: address!, probes: `http://${probes}` };
};
