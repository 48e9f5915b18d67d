/** Seconds per training step: forward and backward pass of one micro-batch, and one update of all weights. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packageFile } from "../common/package-file.ts";
import { architectureSchema, variants } from "../gpu-worker/network/architecture.ts";
import type { Bench, Figure } from "./figure.ts";
import type { StepTimes, StepWork } from "./train-step.ts";

const execute = promisify(execFile);
const python = "/usr/bin/python3";
const threads = availableParallelism();

const demo: StepWork = {
  architecture: architectureSchema.parse({
    ...variants["densenet-small"],
    channels: 6,
    height: 64,
    width: 64,
    classes: 104,
  }),
  images: 32,
  threads,
  steps: 30,
};
export const densenet121: StepWork = {
  architecture: architectureSchema.parse({
    ...variants.densenet121,
    channels: 6,
    height: 512,
    width: 512,
    classes: 1108,
  }),
  images: 8,
  threads,
  steps: 5,
};

const times = async (command: string, args: readonly string[], work: StepWork): Promise<StepTimes> => {
  const { stdout } = await execute(command, [...args, JSON.stringify(work)]);
  return JSON.parse(stdout);
};

export const ownSteps = (work: StepWork) =>
  times(process.execPath, [fileURLToPath(new URL("./train-step.js", import.meta.url))], work);
const theirs = (work: StepWork) => times(python, [packageFile("bench/pytorch_train.py")], work);

const hasPyTorch = (): Promise<boolean> =>
  execute(python, ["-c", "import torch"]).then(
    () => true,
    () => false,
  );

/** The first steps ask the system for their memory. */
const warmUp = 2;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** The two sides take turns, so that whatever else the machine does meets both. What counts is the median step. */
const compare = async (name: string, work: StepWork, report: (figure: Figure) => void, log: (line: string) => void) => {
  const torch = await hasPyTorch();
  if (!torch) log(`${python} has no torch (Debian: python3-torch): ${name} is measured without a reference`);
  const [own, other]: [StepTimes[], StepTimes[]] = [[], []];
  for (let round = 0; round < 2; round++) {
    own.push(await ownSteps(work));
    if (torch) other.push(await theirs(work));
  }
  const typical = (all: readonly StepTimes[]) => median(all.flatMap(({ seconds }) => seconds.slice(warmUp)));
  const peak = (all: readonly StepTimes[]) => Math.max(...all.map(({ peakMiB }) => peakMiB));
  const [value, reference] = [typical(own), torch ? typical(other) : Number.NaN];
  const memory = torch ? peak(other) : Number.NaN;
  report({ figure: `train.${name}`, value, unit: "s/step", reference, ratio: reference / value });
  report({
    figure: `train.${name}-memory`,
    value: peak(own),
    unit: "MiB",
    reference: memory,
    ratio: memory / peak(own),
  });
  if (torch) report({ figure: `train.${name}-vs-pytorch`, value, unit: "s/step", reference, ratio: reference / value });
};

export const train: Bench = {
  name: "train",
  description:
    "a training step of the demo's network (32 images of 6x64x64) and of DenseNet-121 (8 of 6x512x512) against PyTorch's on the same work, aim 1.5",
  async run(report, log) {
    await compare("demo", demo, report, log);
    await compare("densenet121", densenet121, report, log);
  },
};
