/**
 * `gpu-process.js RUNTIME PROVIDER PRECISION BATCH SECONDS`: images per second of DenseNet-121 at 6x512x512 with fixed
 * statistics, as one line of JSON.
 */
import { PlatestreamError } from "../common/errors.ts";
import { packStatistics } from "../common/norm-statistics.ts";
import { normLayers } from "../gpu-worker/network/architecture.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import type { Precision } from "../gpu-worker/runtime/runtime.ts";
import { openRuntime } from "../gpu-worker/runtime/runtimes.ts";
import { threadCount } from "../gpu-worker/runtime/threads.ts";
import { fullSize } from "./full-size.ts";

export type GpuAnswer =
  | { readonly imagesPerSecond: number; readonly cpuSecondsPerImage: number; readonly openSeconds: number }
  | { readonly reason: string };

const [name, provider, precision, batch, seconds] = process.argv.slice(2) as [
  string,
  string,
  Precision,
  string,
  string,
];
const images = Number(batch);
const { channels, height, width } = fullSize;

const measure = async (): Promise<GpuAnswer> => {
  const started = performance.now();
  const runtime = await openRuntime(name, provider, { threads: threadCount(0), precision });
  const weights = initialWeights(fullSize, 1);
  const opened = await runtime.open({ architecture: fullSize, weights }, "fixed", "uint8");
  const inputs = {
    pixels: new Uint8Array(images * channels * height * width).fill(77),
    shape: [images, channels, height, width],
    scale: new Float32Array(images * channels).fill(1 / 255),
    offset: new Float32Array(images * channels),
    statistics: packStatistics(normLayers(fullSize), weights),
  };
  await opened.run(inputs);
  const [begun, cpu] = [performance.now(), process.cpuUsage()];
  let done = 0;
  while (done === 0 || performance.now() - begun < Number(seconds) * 1000) {
    await opened.run(inputs);
    done += images;
  }
  const { user, system } = process.cpuUsage(cpu);
  return {
    imagesPerSecond: (done * 1000) / (performance.now() - begun),
    cpuSecondsPerImage: (user + system) / 1e6 / done,
    openSeconds: (begun - started) / 1000,
  };
};

const answer = await measure().catch((thrown): GpuAnswer => ({ reason: PlatestreamError.from(thrown).rawMessage }));
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.kill(process.pid, "SIGKILL"));
