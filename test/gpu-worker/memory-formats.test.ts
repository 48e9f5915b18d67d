import assert from "node:assert/strict";
import { test } from "node:test";
import { architectureSchema, parameters, type Weights } from "../../gpu-worker/network/architecture.ts";
import { emitNetwork, type GraphMode } from "../../gpu-worker/runtime/onnx/network-graph.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { assertClose, cpu } from "./parity-case.ts";

const architecture = architectureSchema.parse({
  growth: 12,
  blocks: [2, 2],
  init: 20,
  stem: "small",
  channels: 3,
  height: 32,
  width: 32,
  classes: 5,
});

let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};

/** Scales of BatchNorm of either sign, and every fifth of them zero. */
const weights: Weights = new Map(
  parameters(architecture).map(({ name, shape, kind }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const inputs = count / shape[0]!;
    const value = (index: number) => {
      if (kind === "scale") return index % 5 === 0 ? 0 : random() * 2 - 1;
      if (kind === "statistic") return name.endsWith("var") ? 0.5 + random() : random() - 0.5;
      return (random() - 0.5) * (kind === "convolution" ? 4 / Math.sqrt(inputs) : 1);
    };
    return [name, Float32Array.from({ length: count }, (_, index) => value(index))];
  }),
);

const inputs = (images: number, height: number, width: number): Tensors => {
  const size = 3 * height * width;
  // Every image has a brightness and contrast of its own; the affine takes most of it out again.
  const pixels = Uint16Array.from({ length: images * size }, (_, i) => 20_000 + 3000 * ~~(i / size) + 200 * random());
  const affine = (of: (image: number) => number) =>
    float32(
      Float32Array.from({ length: images * 3 }, (_, i) => of(~~(i / 3))),
      [images, 3],
    );
  return {
    pixels: { type: "uint16", data: pixels, shape: [images, 3, height, width] },
    scale: affine((image) => 0.01 + 0.002 * image),
    offset: affine((image) => -(20_000 + 3000 * image) * (0.01 + 0.002 * image)),
  };
};

const outputs = async (mode: GraphMode, block: number, given: Tensors): Promise<Record<string, Float32Array>> => {
  const model = emitNetwork({ architecture, weights }, mode, "uint16", { block });
  const session = await cpu.load(model, { threads: 1, unoptimized: block > 1 });
  const results = Object.entries(await session.run(given));
  await session.close();
  return Object.fromEntries(results.map(([name, { data }]) => [name, data as Float32Array]));
};

for (const mode of [{ constant: weights }, "batch", "calibration"] as const) {
  const named = typeof mode === "string" ? mode : "constant";
  for (const [images, height, width] of [
    [3, 32, 32],
    [2, 46, 27],
    [1, 33, 64],
  ] as const) {
    test(`both formats agree: ${named}, ${images} x ${height} x ${width}, scales of either sign and zero`, async () => {
      const given = inputs(images, height, width);
      const plain = await outputs(mode, 1, given);
      const blocked = await outputs(mode, await cpu.block(), given);
      assert.deepEqual(Object.keys(blocked).sort(), Object.keys(plain).sort());
      for (const [name, values] of Object.entries(plain)) assertClose(blocked[name]!, values, name);
    });
  }
}

test("more channels than the processor has in a block are computed in the portable format", async () => {
  const many = { ...architecture, channels: 16 };
  const whole = new Map(
    parameters(many).map(({ name, shape }) => [
      name,
      new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.1),
    ]),
  );
  const emit = (block: number) =>
    emitNetwork({ architecture: many, weights: whole }, { constant: whole }, "uint8", { block });
  const model = emit(16);
  assert.deepEqual(model, emit(1));
  await (await cpu.load(model, { threads: 1 })).close();
});
