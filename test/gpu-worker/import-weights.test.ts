import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredTensor } from "../../common/safetensors.ts";
import { importWeights } from "../../gpu-worker/bundle/import-weights.ts";
import { type Architecture, parameters } from "../../gpu-worker/network/architecture.ts";
import { tiny } from "./tiny-bundle.ts";

const taken = { newHead: false, seed: 1 };
const file = "theirs.safetensors";

/** The reference network's tensors, as a file would hold them. */
const stored = (architecture: Architecture = tiny.architecture): Map<string, StoredTensor> =>
  new Map(parameters(architecture).map(({ name, shape }) => [name, { shape, data: tiny.weights.get(name)! }]));

test("a network's own tensors come back as they are", () => {
  const { weights, notes } = importWeights(stored(), tiny.architecture, taken, file);
  assert.deepEqual(
    [...weights],
    [...stored()].map(([name, { data }]) => [name, data]),
  );
  assert.deepEqual(notes, []);
});

test("old names of dense layers, a data-parallel prefix and PyTorch's counters are understood", () => {
  const old = new Map(
    [...stored()].map(([name, tensor]) => [
      `module.${name.replace(/(denselayer\d+\.(?:norm|conv))([12])\./, "$1.$2.")}`,
      tensor,
    ]),
  );
  assert.ok(old.has("module.features.denseblock1.denselayer1.norm.1.weight"));
  old.set("module.features.norm5.num_batches_tracked", { shape: [], data: new BigInt64Array(1) });
  const { weights, notes } = importWeights(old, tiny.architecture, taken, file);
  assert.deepEqual(
    [...weights.keys()],
    [...tiny.weights.keys()].filter((name) => weights.has(name)),
  );
  assert.equal(weights.get("features.denseblock1.denselayer1.norm1.weight")?.length, 16);
  assert.deepEqual(notes, []);
});

test("what torchvision's networks lack becomes the identity, and is reported", () => {
  const without = stored();
  for (const name of [...without.keys()]) {
    if (name.startsWith("bn.") || name === "features.conv0.bias") without.delete(name);
  }
  const { weights, notes } = importWeights(without, tiny.architecture, taken, file);
  assert.deepEqual(
    ["weight", "bias", "running_mean", "running_var"].map((what) => weights.get(`bn.${what}`)?.[5]),
    [1, 0, 0, 1],
  );
  assert.deepEqual(weights.get("features.conv0.bias"), new Float32Array(16));
  assert.equal(notes.length, 2);
});

test("a first convolution for colours answers an image of equal channels as before", () => {
  const colours = stored();
  const shape = [16, 3, 7, 7];
  const data = Float32Array.from({ length: 16 * 3 * 49 }, (_, index) => ((index * 7919) % 101) / 101 - 0.5);
  colours.set("features.conv0.weight", { shape, data });
  const { weights, notes } = importWeights(colours, tiny.architecture, taken, file);
  const spread = weights.get("features.conv0.weight")!;
  assert.equal(spread.length, 16 * 6 * 49);
  for (const [output, tap] of [
    [0, 0],
    [7, 24],
    [15, 48],
  ] as const) {
    const sum = (values: Float32Array, channels: number) => {
      let total = 0;
      for (let channel = 0; channel < channels; channel++) total += values[(output * channels + channel) * 49 + tap]!;
      return total;
    };
    assert.ok(Math.abs(sum(spread, 6) - sum(data, 3)) < 1e-6);
  }
  assert.match(notes[0]!, /^features\.conv0/);
});

test("a classifier of other classes is replaced only when that is asked for", () => {
  const architecture = { ...tiny.architecture, classes: 30 };
  assert.throws(
    () => importWeights(stored(), architecture, taken, file),
    (error: Error) => {
      assert.match(error.message, /^\[invalid-model\] theirs\.safetensors does not hold .*--new-head/);
      assert.match(error.message, /classifier\.weight has shape \[12,\d+\], it must be \[30,\d+\]/);
      assert.match(error.message, /classifier\.bias has shape \[12\], it must be \[30\]/);
      return true;
    },
  );
  const { weights, notes } = importWeights(stored(), architecture, { newHead: true, seed: 1 }, file);
  assert.equal(weights.get("classifier.bias")?.length, 30);
  assert.equal(weights.get("features.norm5.weight"), tiny.weights.get("features.norm5.weight"));
  assert.deepEqual(notes, ["the classifier starts anew, with 30 classes"]);
});

test("a network of other channels, but three, is refused with what it reads", () => {
  const four = stored();
  for (const [name, { shape }] of [...four].filter(([name]) => /^bn\.|^features\.conv0\.weight$/.test(name))) {
    const fitting = name.startsWith("bn.") ? [4] : [shape[0]!, 4, shape[2]!, shape[3]!];
    four.set(name, { shape: fitting, data: new Float32Array(fitting.reduce((all, size) => all * size, 1)) });
  }
  assert.throws(
    () => importWeights(four, tiny.architecture, taken, file),
    /its first convolution reads 4 channels, which --channels 4 takes as it is\):\n.*bn\.weight has shape \[4\], it must be \[6\]/,
  );
});

test("everything that is missing, misshapen or not a number is listed at once", () => {
  const broken = stored();
  broken.delete("features.norm0.bias");
  broken.delete("bn.running_var");
  broken.set("features.norm9.bias", { shape: [1], data: new Float32Array(1) });
  broken.set("features.norm5.weight", { shape: [3], data: new Float32Array(3) });
  broken.set("features.norm5.bias", { ...broken.get("features.norm5.bias")!, data: Float32Array.of(Number.NaN) });
  assert.throws(
    () => importWeights(broken, tiny.architecture, taken, file),
    (error: Error) => {
      assert.match(error.message, /features\.norm0\.bias \[16\] is missing/);
      assert.match(error.message, /bn\.running_var \[6\] is missing/);
      assert.match(error.message, /features\.norm5\.weight has shape \[3\], it must be \[\d+\]/);
      assert.match(error.message, /features\.norm9\.bias is not part of it/);
      assert.match(error.message, /features\.norm5\.bias holds NaN at 0/);
      return true;
    },
  );
});
