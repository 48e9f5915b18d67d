import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Images, Statistics } from "../common/inference.ts";
import { packageFile } from "../common/package-file.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import { emitNetwork } from "../gpu-worker/runtime/onnx/network-graph.ts";
import { onnxSessions } from "../gpu-worker/runtime/onnx/session.ts";
import { float32 } from "../gpu-worker/runtime/onnx/tensor.ts";
import { threadCount } from "../gpu-worker/runtime/threads.ts";
import type { CallOptions, Workers } from "../pipeline/workers/workers.ts";
import { cpuSeconds } from "./cpu-time.ts";
import type { Bench } from "./figure.ts";
import { fullSize } from "./full-size.ts";
import { median } from "./run-chain.ts";
import { withWorker } from "./untrained-worker.ts";

const images = 8;
const batchesPerTurn = 4;
const turns = 5;
const threads = threadCount(0);
const options: CallOptions = { signal: new AbortController().signal, deadlineMs: 600_000, retries: 0 };
const model = { cellType: "bench" };
const python = promisify(execFile);

const { channels, height, width } = fullSize;
const imageSize = channels * height * width;
const pixels = Uint8Array.from({ length: images * imageSize }, (_, index) => (Math.imul(index, 2654435761) >>> 24) / 4);
const batch: Images = {
  pixels,
  shape: [images, channels, height, width],
  scale: [],
  offset: [],
  plates: new Array(images).fill(0),
};

type Rate = "bare" | "calibrated" | "batch" | "estimate" | "pytorch";

interface Turn {
  readonly imagesPerSecond: number;
  /** Of this process and the worker. */
  readonly cpuPerImage: number;
  readonly cores: number;
}

const timed = async (work: () => Promise<unknown>): Promise<Turn> => {
  const [started, before] = [performance.now(), cpuSeconds()];
  await work();
  const [seconds, cpu] = [(performance.now() - started) / 1000, cpuSeconds() - before];
  const count = images * batchesPerTurn;
  return { imagesPerSecond: count / seconds, cpuPerImage: cpu / count, cores: cpu / seconds };
};

/** The yardstick: portable ONNX with the statistics as constants, as an exporter writes it; no server around it. */
const bareSession = async (): Promise<{ run(): Promise<void>; close(): Promise<void> }> => {
  const weights = initialWeights(fullSize, 1);
  const graph = emitNetwork({ architecture: fullSize, weights }, { constant: weights }, "uint8");
  const session = await onnxSessions("cpu").load(graph, { threads });
  const perChannel = (value: number) => float32(new Float32Array(images * channels).fill(value), [images, channels]);
  const inputs = {
    pixels: { type: "uint8", data: pixels, shape: [images, channels, height, width] },
    scale: perChannel(1 / 255),
    offset: perChannel(0),
  } as const;
  return {
    async run() {
      for (let index = 0; index < batchesPerTurn; index++) await session.run(inputs);
    },
    close: () => session.close(),
  };
};

/** As many batches at a time as the pipeline sends. */
const predict = async (workers: Workers, statistics: Statistics): Promise<void> => {
  let left = batchesPerTurn;
  const lane = async () => {
    while (left-- > 0) await workers.predict(model, batch, statistics, options);
  };
  await Promise.all(Array.from({ length: workers.concurrency }, lane));
};

/** Images per second of PyTorch's forward pass in training mode. */
const pytorch = async (): Promise<number> => {
  const work = JSON.stringify({ architecture: fullSize, images, threads, runs: 1 });
  const { stdout } = await python("/usr/bin/python3", [packageFile("bench/pytorch_infer.py"), work]);
  return images / median((JSON.parse(stdout) as { seconds: number[] }).seconds);
};

export const infer: Bench = {
  name: "infer",
  description:
    "images/s of a worker over gRPC, DenseNet-121, 6x512x512, batches of 8, against a bare ONNX Runtime session with " +
    "constant BatchNorm (calibrated at least 0.9, batch at least 0.55) and PyTorch in training mode (3.5 and 2)",
  async run(report, log) {
    const folder = await mkdtemp(join(tmpdir(), "platestream-bench-"));
    const withPytorch = await python("/usr/bin/python3", ["-c", "import torch"]).then(
      () => true,
      () => false,
    );
    if (!withPytorch) log("python3-torch is not installed: no figures against PyTorch");
    const turnsOf: Record<Rate, Turn[]> = { bare: [], calibrated: [], batch: [], estimate: [], pytorch: [] };
    try {
      await withWorker(folder, model.cellType, async (workers) => {
        const sample: readonly Images[] = new Array(batchesPerTurn).fill(batch);
        const estimate = () => workers.calibrate(model, sample, 0, options);
        const calibrated = await estimate();
        await predict(workers, calibrated);
        await predict(workers, { kind: "batch" });
        const bare = await bareSession();
        await bare.run();
        for (let turn = 1; turn <= turns; turn++) {
          turnsOf.bare.push(await timed(bare.run));
          turnsOf.calibrated.push(await timed(() => predict(workers, calibrated)));
          turnsOf.batch.push(await timed(() => predict(workers, { kind: "batch" })));
          turnsOf.estimate.push(await timed(estimate));
          if (withPytorch)
            turnsOf.pytorch.push({ imagesPerSecond: await pytorch(), cpuPerImage: Number.NaN, cores: Number.NaN });
          const last = Object.entries(turnsOf).flatMap(([name, all]) => {
            const now = all.at(-1);
            return now === undefined
              ? []
              : [
                  `${name} ${now.imagesPerSecond.toFixed(2)} at ${now.cpuPerImage.toFixed(3)} s of ${now.cores.toFixed(2)} cores`,
                ];
          });
          log(`turn ${turn} of ${turns}, images/s and processor time of an image: ${last.join(", ")}`);
        }
        await bare.close();
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    // The median of the turns' ratios: what else the machine did weighs on both sides of each.
    const against = (figure: string, what: Rate, yardstick: Rate) => {
      compare(figure, what, yardstick, "imagesPerSecond", "images/s");
    };
    const compare = (figure: string, what: Rate, yardstick: Rate, of: keyof Turn, unit: string) => {
      const [values, references] = [turnsOf[what].map((turn) => turn[of]), turnsOf[yardstick].map((turn) => turn[of])];
      const ratio = median(values.map((value, turn) => value / references[turn]!));
      report({ figure, value: median(values), unit, reference: median(references), ratio });
    };
    against("infer.calibrated", "calibrated", "bare");
    against("infer.batch", "batch", "bare");
    against("infer.estimate", "estimate", "bare");
    for (const what of ["calibrated", "batch"] as const) {
      compare(`infer.${what}.cpu`, what, "bare", "cpuPerImage", "s/image");
    }
    const cores = median(turnsOf.calibrated.map((turn) => turn.cores));
    report({ figure: "infer.cores", value: cores, unit: "cores", reference: threads, ratio: cores / threads });
    if (!withPytorch) return;
    against("infer.calibrated-vs-pytorch", "calibrated", "pytorch");
    against("infer.batch-vs-pytorch", "batch", "pytorch");
  },
};
