/** The batch that inference is measured with, and the time it takes. */
import type { Images, Statistics } from "../common/inference.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import { emitNetwork } from "../gpu-worker/runtime/onnx/network-graph.ts";
import { threadCount } from "../gpu-worker/runtime/threads.ts";
import type { CallOptions, Workers } from "../pipeline/workers/workers.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { fullSize } from "./full-size.ts";

export const images = 8;
export const batchesPerTurn = 4;
export const threads = threadCount(0);
export const options: CallOptions = { signal: new AbortController().signal, deadlineMs: 600_000, retries: 0 };
export const model = { cellType: "bench" };

const { channels, height, width } = fullSize;
const imageSize = channels * height * width;
export const pixels = Uint8Array.from(
  { length: images * imageSize },
  (_, index) => (Math.imul(index, 2654435761) >>> 24) / 4,
);
export const batch: Images = {
  pixels,
  shape: [images, channels, height, width],
  scale: [],
  offset: [],
  plates: new Array(images).fill(0),
};

/** Portable ONNX with the statistics as constants, as an exporter writes it. */
export const portableNetwork = (): Uint8Array => {
  const weights = initialWeights(fullSize, 1);
  return emitNetwork({ architecture: fullSize, weights }, { constant: weights }, "uint8");
};

export interface Turn {
  readonly imagesPerSecond: number;
  /** Processor seconds, of this process and of those that it started. */
  readonly cpuPerImage: number;
  readonly cores: number;
}

export const turnOf = (seconds: number, cpu: number): Turn => {
  const count = images * batchesPerTurn;
  return { imagesPerSecond: count / seconds, cpuPerImage: cpu / count, cores: cpu / seconds };
};

export const timed = async (work: () => Promise<unknown>): Promise<Turn> => {
  const [started, before] = [performance.now(), cpuSeconds()];
  await work();
  return turnOf((performance.now() - started) / 1000, cpuSeconds() - before);
};

/** As many batches at a time as the pipeline sends. */
export const predict = async (workers: Workers, statistics: Statistics): Promise<void> => {
  let left = batchesPerTurn;
  const lane = async () => {
    while (left-- > 0) await workers.predict(model, batch, statistics, options);
  };
  await Promise.all(Array.from({ length: workers.concurrency }, lane));
};
