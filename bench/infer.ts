import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Images } from "../common/inference.ts";
import { packageFile } from "../common/package-file.ts";
import { onnxSessions } from "../gpu-worker/runtime/onnx/session.ts";
import { float32 } from "../gpu-worker/runtime/onnx/tensor.ts";
import type { Bench } from "./figure.ts";
import { fullSize } from "./full-size.ts";
import {
  batch,
  batchesPerTurn,
  images,
  model,
  options,
  pixels,
  portableNetwork,
  predict,
  type Turn,
  threads,
  timed,
} from "./inference-turn.ts";
import { median } from "./run-chain.ts";
import { withWorker } from "./untrained-worker.ts";

const turns = 5;
const python = promisify(execFile);
const { channels, height, width } = fullSize;

type Rate = "bare" | "calibrated" | "batch" | "estimate" | "pytorch";

/** The yardstick: a session without a server around it. */
const bareSession = async (): Promise<{ run(): Promise<void>; close(): Promise<void> }> => {
  const session = await onnxSessions("cpu").load(portableNetwork(), { threads });
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
