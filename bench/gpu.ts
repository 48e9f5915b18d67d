import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { packageFile } from "../common/package-file.ts";
import { nvidiaCards } from "../gpu-worker/runtime/diagnose.ts";
import { onProcessor, runtimes } from "../gpu-worker/runtime/runtimes.ts";
import type { Bench } from "./figure.ts";
import { fullSize } from "./full-size.ts";
import type { GpuAnswer } from "./gpu-process.ts";
import { jsonProcess } from "./json-process.ts";

const execute = promisify(execFile);

const batches = [8, 32, 128];
const seconds = 3;
const timeoutMs = 90_000;

/** PyTorch's speed on the same card; undefined where there is no PyTorch with CUDA. */
const pytorch = async (images: number, float16: boolean): Promise<number | undefined> => {
  const work = JSON.stringify({ architecture: fullSize, images, seconds, float16 });
  try {
    const { stdout } = await execute("python3", [packageFile("bench/pytorch_gpu.py"), work], { timeout: 240_000 });
    return (JSON.parse(stdout.trim().split("\n").at(-1)!) as { imagesPerSecond: number }).imagesPerSecond;
  } catch {
    return undefined;
  }
};

export const gpu: Bench = {
  name: "gpu",
  description:
    "images/s of DenseNet-121, 6x512x512, on every provider that is not a processor, per precision and batch size; the best " +
    "against PyTorch on the same card, compiled, channels_last, autocast (float16 at least 0.8)",
  async run(report, log) {
    const cards = await nvidiaCards();
    log(
      cards.length === 0
        ? "nvidia-smi lists no card"
        : cards.map(({ name, memoryMiB }) => `${name}, ${memoryMiB} MiB`).join("; "),
    );
    const best = { float32: 0, float16: 0 };
    for (const { name, providers } of runtimes) {
      for (const provider of providers.filter((each) => !onProcessor.includes(each))) {
        for (const precision of ["float32", "float16"] as const) {
          for (const images of batches) {
            const work = [name, provider, precision, String(images), String(seconds)];
            const says = `${name} on ${provider}, ${precision}, batches of ${images}`;
            const answer = await jsonProcess<GpuAnswer>("./gpu-process.js", work, timeoutMs);
            if (answer === undefined || "reason" in answer) {
              log(`${says}: ${answer?.reason ?? `no answer within ${timeoutMs / 1000} s`}`);
              break; // a larger batch runs no better
            }
            const { imagesPerSecond, cpuSecondsPerImage, openSeconds } = answer;
            log(
              `${says}: ${imagesPerSecond.toFixed(1)} images/s, ${(cpuSecondsPerImage * 1000).toFixed(1)} ms of processor each, ` +
                `open after ${openSeconds.toFixed(1)} s`,
            );
            best[precision] = Math.max(best[precision], imagesPerSecond);
          }
        }
      }
    }
    for (const precision of ["float32", "float16"] as const) {
      if (best[precision] === 0) continue;
      const rates = await Promise.all([pytorch(64, precision === "float16")]);
      const reference = rates[0] ?? Number.NaN;
      if (rates[0] === undefined) log(`no PyTorch with CUDA: gpu.${precision} has no reference`);
      const value = best[precision];
      report({ figure: `gpu.${precision}`, value, unit: "images/s", reference, ratio: value / reference });
    }
  },
};
