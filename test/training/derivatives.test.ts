/** Every derivative against central differences of the operation itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../common/random.ts";
import { OnnxGraph, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import type { Arithmetic } from "../../training/gradients/arithmetic.ts";
import { affineInputGradients, convolve, inputGradient, weightGradient } from "../../training/gradients/convolution.ts";
import {
  averagePool,
  cosines,
  globalAveragePool,
  linear,
  scaleAndShift,
  standardise,
} from "../../training/gradients/derivatives.ts";
import { type Loss, lossNodes, lossSchema } from "../../training/gradients/losses.ts";
import { maxPool } from "../../training/gradients/max-pool.ts";
import { outputSize } from "../../training/gradients/windows.ts";

const images = 3;

interface Operation {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Shape of what is computed. */
  readonly output: readonly number[];
  /** Range of the inputs, centred at zero. */
  readonly range?: number;
  /** Gives the output, and per input its gradient for a gradient of the output. */
  build(
    a: Arithmetic,
    inputs: Readonly<Record<string, Value>>,
  ): { output: Value; gradients(of: Value): Readonly<Record<string, Value>> };
}

const count = (shape: readonly number[]) => shape.reduce((size, dimension) => size * dimension, 1);
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

const checkDerivatives = async ({ inputs, output, range = 2, build }: Operation) => {
  const random = seededRandom("derivatives");
  const draw = (shape: readonly number[]) =>
    Float32Array.from({ length: count(shape) }, () => range * (random() - 0.5));
  const graph = new OnnxGraph("operation");
  const a: Arithmetic = { graph, precision: "float32", images, block: 1 };
  const names = Object.keys(inputs);
  for (const name of names) graph.input(name, "float32", inputs[name]!);
  graph.input("given", "float32", output);
  const built = build(a, Object.fromEntries(names.map((name) => [name, name])));
  const gradients = built.gradients("given");
  graph.node("Identity", [built.output], {}, "result");
  graph.output("result", "float32", output);
  for (const name of names) {
    graph.node("Reshape", [gradients[name]!, graph.ints(-1)], {}, `d_${name}`);
    graph.output(`d_${name}`, "float32", [count(inputs[name]!)]);
  }
  const session = await onnxSessions("cpu").load(graph.encode(), { threads: 1 });
  const given = draw(output);
  const point = new Map(names.map((name) => [name, draw(inputs[name]!)]));
  const run = async (values: ReadonlyMap<string, Float32Array>) => {
    const feeds = [...values, ["given", given] as const].map(([name, data]) => {
      const shape = name === "given" ? output : inputs[name]!;
      return [name, { type: "float32" as const, data, shape }] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    return (name: string) => results[name]!.data as Float32Array;
  };
  const here = await run(point);
  for (const name of names) {
    const direction = draw(inputs[name]!);
    const step = 2e-3;
    const moved = async (by: number) => {
      const values = point.get(name)!.map((value, i) => value + by * direction[i]!);
      return dot((await run(new Map([...point, [name, values]])))("result"), given);
    };
    const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
    const claimed = dot(here(`d_${name}`), direction);
    const off = Math.abs(slope - claimed) / Math.max(Math.abs(slope), 0.05);
    assert.ok(off < 1e-2, `by ${name}: the difference quotient is ${slope}, the derivative says ${claimed}`);
  }
  await session.close();
};

const windows = [
  { kernel: 1, stride: 1, padding: 0, height: 4, width: 5 },
  { kernel: 3, stride: 1, padding: 1, height: 5, width: 4 },
  { kernel: 7, stride: 2, padding: 3, height: 12, width: 10 },
  { kernel: 5, stride: 2, padding: 2, height: 9, width: 8 },
];

for (const { height, width, ...window } of windows) {
  const name = `${window.kernel}x${window.kernel}/${window.stride} convolution`;
  const [inputs, outputs] = [3, 4];
  const shape = { images, inputs, outputs, height, width };
  const output = [1, outputs, images, outputSize(height, window), outputSize(width, window)];
  const kernel = [outputs, inputs, 1, window.kernel, window.kernel];

  test(`derivatives - ${name}`, () =>
    checkDerivatives({
      inputs: { input: [1, inputs, images, height, width], weight: kernel },
      output,
      build: (a, { input, weight }) => ({
        output: convolve(a, input!, weight!, window),
        gradients: (gradient) => ({
          input: inputGradient(a, gradient, weight!, window, shape),
          weight: weightGradient(a, gradient, input!, window, shape),
        }),
      }),
    }));

  test(`derivatives - ${name} of scaled and shifted input`, () =>
    checkDerivatives({
      inputs: {
        weight: kernel,
        factor: [inputs],
        bias: [inputs],
        added: [outputs],
        input: [1, inputs, images, height, width],
      },
      output,
      build: (a, { input, weight, factor, bias, added }) => {
        const { graph } = a;
        const wide = (value: Value) => graph.node("Reshape", [value, graph.ints(1, inputs, 1, 1, 1)]);
        const scaled = graph.node("Add", [graph.node("Mul", [input!, wide(factor!)]), wide(bias!)]);
        return {
          output: convolve(a, scaled, weight!, window, [added!]),
          gradients: (gradient) => {
            const all = affineInputGradients(a, gradient, input!, weight!, factor!, bias!, window, shape);
            const through = inputGradient(a, gradient, weight!, window, shape);
            return { ...all, added: all.outputs, input: graph.node("Mul", [through, wide(factor!)]) };
          },
        };
      },
    }));
}

for (const rectify of [true, false])
  test(`derivatives - batch normalisation ${rectify ? "with ReLU" : "alone"}, through the statistics`, () => {
    const shape = { channels: 4, height: 5, width: 3 };
    const maps = [1, 4, images, 5, 3];
    return checkDerivatives({
      inputs: { maps, weight: [4], bias: [4] },
      output: maps,
      build: (a, { maps, weight, bias }) => {
        const standard = standardise(a, maps!, shape);
        const step = scaleAndShift(a, standard.output, shape, weight!, bias!, rectify);
        return {
          output: step.output,
          gradients: (gradient) => {
            const back = step.backward(gradient);
            return { weight: back.weight(), bias: back.bias(), maps: standard.inputGradient(back.input()) };
          },
        };
      },
    });
  });

const pool = (name: string, height: number, width: number, shape: readonly number[], make: typeof averagePool) =>
  test(`derivatives - ${name}`, () =>
    checkDerivatives({
      inputs: { maps: [1, 4, images, height, width] },
      output: shape,
      range: 50, // far apart, so that a step changes no maximum
      build: (a, { maps }) => {
        const step = make(a, maps!, { channels: 4, height, width });
        return { output: step.output, gradients: (gradient) => ({ maps: step.inputGradient(gradient) }) };
      },
    }));

const maximum =
  (kernel: number, padding: number): typeof averagePool =>
  (a, maps, shape) =>
    maxPool(a, maps, { kernel, stride: 2, padding }, shape);

pool("overlapping maxima", 8, 6, [1, 4, images, 4, 3], maximum(3, 1));
pool("maxima side by side", 8, 6, [1, 4, images, 4, 3], maximum(2, 0));
pool("average of even maps", 6, 4, [1, 4, images, 3, 2], averagePool);
pool("average of odd maps", 7, 5, [1, 4, images, 3, 2], averagePool);
pool("global average", 4, 5, [images, 4], globalAveragePool);

test("derivatives - linear layer", () =>
  checkDerivatives({
    inputs: { rows: [images, 5], weight: [4, 5], bias: [4] },
    output: [images, 4],
    build: (a, { rows, weight, bias }) => {
      const step = linear(a, rows!, weight!, bias!);
      return {
        output: step.output,
        gradients: (gradient) => ({
          rows: step.inputGradient(gradient),
          weight: step.weightGradient(gradient),
          bias: step.biasGradient(gradient),
        }),
      };
    },
  }));

test("derivatives - cosines", () =>
  checkDerivatives({
    inputs: { rows: [images, 5], weight: [4, 5] },
    output: [images, 4],
    build: (a, { rows, weight }) => {
      const step = cosines(a, rows!, weight!, 3);
      return {
        output: step.output,
        gradients: (gradient) => ({ rows: step.inputGradient(gradient), weight: step.weightGradient(gradient) }),
      };
    },
  }));

const losses: readonly (readonly [string, Partial<Loss>])[] = [
  ["binary cross entropy, mean over classes", {}],
  ["binary cross entropy, sum over classes", { classes: "sum" }],
  ["binary cross entropy with label smoothing", { smoothing: 0.2 }],
  ["cross entropy", { kind: "cross-entropy" }],
  ["cross entropy with label smoothing", { kind: "cross-entropy", smoothing: 0.1 }],
  ["CosFace", { kind: "cosface", scale: 4, margin: 0.3 }],
  ["ArcFace", { kind: "arcface", scale: 4, margin: 0.3 }],
  ["ArcFace with a margin that is too wide for some angles", { kind: "arcface", scale: 4, margin: 1.8 }],
];
for (const [name, options] of losses)
  test(`derivatives - ${name}`, () =>
    checkDerivatives({
      inputs: { logits: [images, 4] },
      output: [],
      build: (a, { logits }) => {
        const soft = a.graph.constant("target", Float32Array.of(1, 0, 0, 0, 0, 0.3, 0.7, 0, 0, 0, 0, 1), [images, 4]);
        const { loss, gradient } = lossNodes(a, logits!, soft, 4, lossSchema.parse(options));
        return { output: loss, gradients: (of) => ({ logits: a.graph.node("Mul", [gradient, of]) }) };
      },
    }));
