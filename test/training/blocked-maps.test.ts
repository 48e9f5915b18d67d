/** The CPU provider's own layout computes what the portable graph does, at sizes that neither divides evenly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { architectureSchema } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { trainingGraph, usableBlock } from "../../training/gradients/graphs.ts";
import { lossSchema } from "../../training/gradients/losses.ts";
import { flatten } from "../../training/learner/flat.ts";

const images = 2;
const runtime = onnxSessions("cpu");

const sizes = [
  { stem: "small", height: 45, width: 53, why: "odd maps" },
  { stem: "imagenet", height: 70, width: 62, why: "a 7x7 stem and overlapping maxima" },
  { stem: "small", height: 264, width: 264, why: "maps beyond the processor's cache" },
];

for (const { stem, height, width, why } of sizes)
  test(`blocked maps - gradients and statistics are those of the portable graph, with ${why}`, async () => {
    const architecture = architectureSchema.parse({
      growth: 6,
      blocks: [2, 2, 1],
      init: 10,
      bottleneck: 3,
      stem,
      channels: 3,
      height,
      width,
      classes: 5,
    });
    const { weights } = flatten(architecture, initialWeights(architecture, 1), "test");
    // Other pixels can put an input of a ReLU within rounding of zero, where the derivative jumps.
    const random = seededRandom(`${height} by ${width}`);
    const float = (data: Float32Array, ...shape: number[]) => ({ type: "float32" as const, data, shape });
    const pixels = Uint8Array.from({ length: images * 3 * height * width }, () => 256 * random());
    const results = async (block: number) => {
      const options = { architecture, images, precision: "float32" as const, loss: lossSchema.parse({}), block };
      const { model } = trainingGraph(options, () => true);
      const session = await runtime.load(model, { threads: 1, unoptimized: block > 1 });
      const outputs = await session.run({
        pixels: { type: "uint8", data: pixels, shape: [images, 3, height, width] },
        scale: float(new Float32Array(images * 3).fill(1 / 255), images, 3),
        offset: float(new Float32Array(images * 3), images, 3),
        weights: float(weights, weights.length),
        target: float(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0, 0), images, 5),
        loss_scale: float(Float32Array.of(1)),
      });
      await session.close();
      return (name: string) => outputs[name]!.data as Float32Array;
    };
    const [portable, blocked] = [await results(1), await results(await runtime.block())];
    for (const name of ["loss", "gradient", "means", "variances"]) {
      const expected = portable(name);
      const off = Math.hypot(...blocked(name).map((value, i) => value - expected[i]!)) / Math.hypot(...expected);
      assert.ok(off < 1e-3, `${name}: off by ${off}`);
    }
  });

test("blocked maps - halves, and pixels with as many channels as a block, stay in rows", () => {
  const parse = (channels: number) =>
    architectureSchema.parse({
      growth: 4,
      blocks: [1],
      init: 8,
      bottleneck: 2,
      stem: "small",
      channels,
      height: 16,
      width: 16,
      classes: 3,
    });
  const of = (channels: number, precision: "float32" | "float16") =>
    usableBlock({ architecture: parse(channels), images, precision, loss: lossSchema.parse({}) }, 16);
  assert.equal(of(6, "float32"), 16);
  assert.equal(of(6, "float16"), 1);
  assert.equal(of(16, "float32"), 1);
});
