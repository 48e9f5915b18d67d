/** Losses, gradients and updates against PyTorch's, for the small DenseNets of test/data/parity. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { packageFile } from "../../common/package-file.ts";
import { readSafetensors } from "../../common/safetensors.ts";
import { type Architecture, architectureSchema } from "../../gpu-worker/network/architecture.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { adamDefaults } from "../../training/learner/adam.ts";
import { type FlatNetwork, flatIndex, flatten, unflatten } from "../../training/learner/flat.ts";
import { type LabelledImages, type LearnerOptions, openLearner } from "../../training/learner/learner.ts";
import type { TrainingRuntime } from "../../training/learner/training-runtime.ts";

const cases = (name: string) => {
  const folder = packageFile(`test/data/parity/${name}`);
  const { config } = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8"));
  const { bn_size: bottleneck, size, ...rest } = config;
  const architecture = architectureSchema.parse({ ...rest, bottleneck, height: size, width: size });
  const read = (file: string) => readSafetensors(readFileSync(`${folder}/${file}`), file);
  const weights = new Map([...read("weights.safetensors")].map(([key, { data }]) => [key, data as Float32Array]));
  return { architecture, weights, tensors: read("cases.safetensors") };
};

/**
 * Two inputs of ReLUs in `tiny` lie within 2e-6 of zero, where the derivative jumps: in float32 PyTorch lands on the one
 * side, in float64 on the other. These shifts, far below the tolerance, put any arithmetic on the side of the reference.
 */
const kinks: readonly (readonly [shift: string, channel: number, by: number])[] = [
  ["features.denseblock1.denselayer1.norm2.bias", 18, -4e-6],
  ["features.denseblock3.denselayer1.norm2.bias", 2, 4e-6],
];

/**
 * conv0's bias moves nothing behind a BatchNorm: its gradient is rounding, which Adam turns into steps of any direction.
 * They pass into the running mean behind it, and one channel of norm0's shift in `tiny` has a gradient as small:
 * PyTorch repeats none of the three within 1e-3 itself. No element can be off by more than the three steps made.
 */
const chance = ["features.conv0.bias", "features.norm0.running_mean", "features.norm0.bias"];

const oneHot = (labels: BigInt64Array, width: number): Float32Array => {
  const rows = new Float32Array(labels.length * width);
  labels.forEach((label, i) => {
    rows[i * width + Number(label)] = 1;
  });
  return rows;
};

export const learnerOptions = (architecture: Architecture): LearnerOptions => ({
  architecture,
  images: 8,
  precision: "float32",
  loss: lossSchema.parse({}),
  optimiser: { ...adamDefaults, amsgrad: true },
  averaging: 0,
  divisor: 2,
  learns: "network",
  evaluationImages: 8,
  threads: 1,
});

const setup = (name: string) => {
  const { architecture, weights, tensors } = cases(name);
  if (name === "tiny") for (const [shift, channel, by] of kinks) weights.get(shift)![channel]! += by;
  const { channels, height, width, plates, classes } = architecture;
  const size = channels * height * width;
  const values = (key: string) => tensors.get(key)!.data;
  const batch = (from: number, count: number): LabelledImages => ({
    pixels: (values("pixels") as Uint8Array).slice(from * size, (from + count) * size),
    scale: new Float32Array(count * channels).fill(1 / 255),
    offset: new Float32Array(count * channels),
    plate:
      plates > 0 ? oneHot((values("plate") as BigInt64Array).slice(from, from + count), plates) : new Float32Array(),
    target: oneHot((values("label") as BigInt64Array).slice(from, from + count), classes),
  });
  const options = learnerOptions(architecture);
  return { architecture, weights, values: values as (key: string) => Float32Array, batch, options };
};

const norm = (values: Float32Array): number => Math.hypot(...values);

/** Norm of the difference over norm of what is expected; differences below `floor` are rounding. */
const assertClose = (got: Float32Array, expected: Float32Array, what: string, limit: number, floor = 0) => {
  assert.equal(got.length, expected.length, what);
  const difference = norm(got.map((value, i) => value - expected[i]!));
  const most = Math.max(limit * norm(expected), floor);
  assert.ok(difference <= most, `${what}: off by ${difference}, at most ${most} allowed`);
};

const timeout = 240_000;

/** What training has to compute, whatever computes it. */
export const trainingSuite = (runtime: TrainingRuntime): void => {
  const { provider } = runtime;
  for (const name of ["tiny", "tiny-plates"]) {
    test(`training on ${provider} - loss and every gradient of ${name} are PyTorch's`, { timeout }, () =>
      gradientsOf(name, runtime),
    );
    test(
      `training on ${provider} - three steps of Adam on ${name} end with PyTorch's weights and statistics`,
      {
        timeout,
      },
      () => adamOf(name, runtime),
    );
  }
};

/** Loss and every gradient, against PyTorch's. */
export const gradientsOf = async (name: string, runtime: TrainingRuntime) => {
  const { architecture, weights, values, batch, options } = setup(name);
  const network = flatten(architecture, weights, name);
  const train = await runtime.open("train", options, () => true);
  const { pixels, scale, offset, plate, target } = batch(0, 8);
  const { channels, height, width, plates, classes } = architecture;
  const float = (data: Float32Array, ...shape: number[]) => ({ type: "float32" as const, data, shape });
  const { loss, gradient } = await train.run({
    pixels: { type: "uint8", data: pixels, shape: [8, channels, height, width] },
    scale: float(scale, 8, channels),
    offset: float(offset, 8, channels),
    weights: float(network.weights, network.weights.length),
    target: float(target, 8, classes),
    loss_scale: float(Float32Array.of(1)),
    ...(plates > 0 ? { plate: float(plate, 8, plates) } : {}),
  });
  assertClose(loss!.data as Float32Array, values("train.loss"), "loss", 1e-5);
  let at = 0;
  for (const { name: parameter, length } of flatIndex(architecture).slots) {
    const got = (gradient!.data as Float32Array).slice(at, at + length);
    at += length;
    // The bias of the first convolution moves nothing behind a BatchNorm: its gradient is zero but for rounding.
    const floor = parameter === "features.conv0.bias" ? 1e-7 : 0;
    assertClose(got, values(`train.grad.${parameter}`), `gradient of ${parameter}`, 1e-3, floor);
  }
  await train.close();
};
const adamOf = async (name: string, runtime: TrainingRuntime) => {
  const { architecture, weights, values, batch, options } = setup(name);
  const network: FlatNetwork = flatten(architecture, weights, name);
  const learner = openLearner(runtime, options, network);
  const losses: number[] = [];
  for (let i = 0; i < 6; i++) {
    losses.push(await learner.accumulate(batch(8 * (i % 4), 8)));
    if (i % 2 === 1) await learner.update(1e-3);
  }
  await learner.close();
  assertClose(Float32Array.from(losses), values("adam.losses"), "losses", 1e-3);
  assert.equal(flatIndex(architecture).length, network.weights.length);
  for (const [parameter, got] of unflatten(architecture, network)) {
    const floor = chance.includes(parameter) ? 3 * 1e-3 * Math.sqrt(got.length) : 0;
    assertClose(got, values(`adam.after.${parameter}`), parameter, 1e-3, floor);
  }
};
