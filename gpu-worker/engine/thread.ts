/** The thread that computes: it owns the runtime and its open networks, and takes one job at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../../common/errors.ts";
import type { NetworkMode, OpenNetwork } from "../runtime/runtime.ts";
import { openRuntime } from "../runtime/runtimes.ts";
import { type Job, type JobMode, type JobResult, sinceEpoch, type ThreadOptions } from "./job.ts";

const { networks, runtime: name, provider, sessions: most, ...options } = workerData as ThreadOptions;
const runtime = openRuntime(name, provider, options);
runtime.catch(() => undefined); // reported by the first job
const closing: Promise<void>[] = [];
const open = new LRUCache<string, OpenNetwork>({ max: most, dispose: (old) => void closing.push(old.close()) });
let opened = 0;

/** One open network predicts with whatever statistics a job brings. */
const networkModes = {
  running: "fixed",
  calibrated: "fixed",
  batch: "batch",
  calibration: "calibration",
} as const satisfies Record<JobMode, NetworkMode>;

const networkFor = async ({ network, mode, pixelType }: Job): Promise<OpenNetwork> => {
  const key = `${network} ${networkModes[mode]} ${pixelType}`;
  const held = open.get(key);
  if (held !== undefined) return held;
  const fresh = await (await runtime).open(networks[network]!, networkModes[mode], pixelType);
  opened += 1;
  open.set(key, fresh);
  await Promise.all(closing.splice(0));
  return fresh;
};

const compute = async (job: Job): Promise<JobResult> => {
  try {
    const network = await networkFor(job);
    const [began, before] = [sinceEpoch(), process.cpuUsage()];
    const outputs = await network.run(job);
    const { user, system } = process.cpuUsage(before);
    return {
      type: "done",
      outputs,
      pixels: job.pixels,
      opened,
      began,
      finished: sinceEpoch(),
      cpu: (user + system) / 1000,
    };
  } catch (thrown) {
    const { code, rawMessage } = PlatestreamError.from(thrown);
    return { type: "failed", code, message: rawMessage, opened };
  }
};

parentPort!.on("message", async (job: Job | "close") => {
  if (job !== "close") {
    const result = await compute(job);
    return parentPort!.postMessage(result, result.type === "done" ? [result.pixels.buffer as ArrayBuffer] : []);
  }
  open.clear();
  await Promise.all(closing);
  parentPort!.close();
});
