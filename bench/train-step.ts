/**
 * Times training steps in a process of its own, so that its memory is its own: `train-step.js WORK` takes and prints
 * what pytorch_train.py does.
 */
import type { Architecture } from "../gpu-worker/network/architecture.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import { onnxSessions } from "../gpu-worker/runtime/onnx/session.ts";
import { lossSchema } from "../training/gradients/losses.ts";
import { adamDefaults } from "../training/learner/adam.ts";
import { flatten } from "../training/learner/flat.ts";
import { openLearner } from "../training/learner/learner.ts";
import { onnxTraining } from "../training/learner/training-runtime.ts";

export interface StepWork {
  readonly architecture: Architecture;
  /** Images of the micro-batch. */
  readonly images: number;
  readonly threads: number;
  readonly steps: number;
}

export interface StepTimes {
  readonly seconds: readonly number[];
  readonly peakMiB: number;
}

const { architecture, images, threads, steps } = JSON.parse(process.argv[2]!) as StepWork;
const { channels, height, width, classes } = architecture;
const learner = openLearner(
  onnxTraining(onnxSessions("cpu"), threads),
  {
    architecture,
    images,
    precision: "float32",
    loss: lossSchema.parse({}),
    learns: "network",
    evaluationImages: images,
    optimiser: { ...adamDefaults, amsgrad: true },
    averaging: 0,
    divisor: 1,
    threads,
  },
  flatten(architecture, initialWeights(architecture, 1), "the benched network"),
);
const batch = {
  pixels: Uint8Array.from({ length: images * channels * height * width }, () => 256 * Math.random()),
  scale: new Float32Array(images * channels).fill(1 / 255),
  offset: new Float32Array(images * channels),
  plate: new Float32Array(),
  target: Float32Array.from({ length: images * classes }, (_, i) => Number(i % classes === Math.floor(i / classes))),
};
const seconds: number[] = [];
for (let step = 0; step < steps; step++) {
  const start = performance.now();
  await learner.accumulate(batch);
  await learner.update(1e-3);
  seconds.push((performance.now() - start) / 1000);
}
await learner.close();
const times: StepTimes = { seconds, peakMiB: process.resourceUsage().maxRSS / 1024 };
process.stdout.write(`${JSON.stringify(times)}\n`);
