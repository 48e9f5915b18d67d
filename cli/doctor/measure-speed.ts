/** Images per second of a bundle on this machine, with the statistics of its training: what predicting costs at least. */
import { openBundleWorkers } from "../../testing/bundle-workers.ts";

export interface Speed {
  readonly model: string;
  readonly imagesPerSecond: number;
  readonly images: number;
  readonly seconds: number;
  /** Seconds of processor time per second: how many cores it kept busy. */
  readonly cores: number;
}

const batch = 16;

export const measureSpeed = async (bundle: string, seconds: number): Promise<Speed> => {
  const workers = await openBundleWorkers(bundle);
  try {
    const [model] = await workers.models();
    const { name, cellType, channels, height, width } = model!;
    const images = {
      pixels: Uint8Array.from({ length: batch * channels * height * width }, (_, index) => (index * 7919) % 251),
      shape: [batch, channels, height, width] as const,
      scale: [],
      offset: [],
      plates: Array.from({ length: batch }, () => 0),
    };
    const options = { deadlineMs: 300_000, retries: 0, signal: new AbortController().signal };
    const predict = () => workers.predict({ name, cellType }, images, { kind: "running" }, options);
    await predict(); // opens the network
    const started = performance.now();
    const before = process.cpuUsage();
    let done = 0;
    while (performance.now() - started < seconds * 1_000) {
      await predict();
      done += batch;
    }
    const took = (performance.now() - started) / 1_000;
    const { user, system } = process.cpuUsage(before);
    const cores = (user + system) / 1e6 / took;
    return { model: name, imagesPerSecond: done / took, images: done, seconds: took, cores };
  } finally {
    await workers.close();
  }
};
