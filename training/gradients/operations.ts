/** The network's operations with batch statistics and a tape: what `densenet()` is walked with to train. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Operations, Window } from "../../gpu-worker/network/densenet.ts";
import { channelsIn, slotsOf } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { Arithmetic, MapShape } from "./arithmetic.ts";
import { type BlockedFilter, blockedConvolve, blockedInputGradient, compact, spread } from "./blocked-maps.ts";
import { affineInputGradients, convolve, inputGradient, weightGradient } from "./convolution.ts";
import { averagePool, cosines, globalAveragePool, linear, rectify, scaleAndShift } from "./derivatives.ts";
import type { ParameterInput } from "./inputs.ts";
import { maxPool } from "./max-pool.ts";
import { standardiser } from "./standardiser.ts";
import { type Maps, type Normalised, type Rows, type Signal, send, type Tape } from "./tape.ts";
import { type ConvolutionShape, outputSize } from "./windows.ts";

export interface BatchStatistics {
  readonly mean: Value;
  /** Biased; `count` values went into it. */
  readonly variance: Value;
  readonly count: number;
}

export interface TrainingContext {
  readonly arithmetic: Arithmetic;
  readonly parameters: ParameterInput;
  readonly tape: Tape;
  /** Whether the parameter of this name is to learn. */
  learns(name: string): boolean;
  /** Takes the gradient of a parameter that learns; called once per parameter. */
  learnt(name: string, gradient: Value): void;
  /** Takes the statistics of a BatchNorm layer. */
  measured(layer: string, statistics: BatchStatistics): void;
  /** Input [N, plates], read by networks with a plate one-hot. */
  plates(): { readonly value: Value; readonly width: number };
  /** Cosines times this factor in the place of the linear layer. */
  readonly cosineScale?: number | undefined;
}

interface Pool {
  readonly output: Value;
  inputGradient(gradient: Value): Value;
}

const pointwise: Window = { kernel: 1, stride: 1, padding: 0 };

const unexpected = (operation: string, { kind }: Signal) =>
  new PlatestreamError(
    "internal",
    `training has no ${operation} of ${kind}: the network changed, and training did not`,
  );

export const trainingOperations = (context: TrainingContext): Operations<Signal> => {
  const { arithmetic: a, parameters, tape, learns, learnt } = context;
  const { graph, images } = a;
  const standardised = standardiser(a, tape);

  const shapeOf = ({ channels, height, width }: MapShape, weight: string): ConvolutionShape => ({
    images,
    inputs: channels,
    outputs: parameters.shape(weight)[0]!,
    height,
    width,
  });
  const after = ({ height, width }: MapShape, { outputs }: ConvolutionShape, window: Window) => ({
    kind: "maps" as const,
    channels: outputs,
    height: outputSize(height, window),
    width: outputSize(width, window),
  });

  /** Applies a BatchNorm's weight and bias, and the ReLU behind it if there is one. */
  const applied = ({ standard, layer, rectify }: Normalised): Maps => {
    const [weight, bias] = [`${layer}.weight`, `${layer}.bias`];
    const { channels, height, width, slots, values } = standard;
    const vector = (name: string) => spread(a, parameters.exact(name), slots);
    const step = scaleAndShift(a, values, standard, vector(weight), vector(bias), rectify);
    const own = learns(weight) || learns(bias);
    const shape = { channels, height, width, slots };
    const output: Maps = { kind: "maps", value: step.output, ...shape, learns: standard.learns || own };
    tape.record(() => {
      if (output.gradient === undefined) return;
      const gradient = step.backward(output.gradient);
      if (learns(weight)) learnt(weight, compact(a, gradient.weight(), slots));
      if (learns(bias)) learnt(bias, compact(a, gradient.bias(), slots));
      if (standard.learns) standard.gradient = gradient.input(standard.gradient);
    });
    return output;
  };

  const filterOf = (weight: string, { slots }: MapShape, { kernel }: Window): BlockedFilter => ({
    weight: parameters.exact(weight),
    outputs: slotsOf(parameters.shape(weight)[0]!, a.block),
    inputs: slots,
    kernel,
  });

  const blockedConvolved = (input: Maps, layer: string, window: Window): Maps => {
    const weight = `${layer}.weight`;
    const { height, width, channels } = input;
    const filter = filterOf(weight, input, window);
    const value = blockedConvolve(a, input.value, input, filter, window);
    const outputs = filter.outputs.length;
    const learning = input.learns || learns(weight);
    const output: Maps = {
      kind: "maps",
      channels: outputs,
      height,
      width,
      slots: filter.outputs,
      value,
      learns: learning,
    };
    tape.record(() => {
      const { gradient } = output;
      if (gradient === undefined) return;
      if (learns(weight)) {
        const real = channelsIn(filter.outputs);
        const shape = { images, inputs: channels, outputs: real, height, width, apart: true };
        const all = weightGradient(a, gradient, input.value, window, shape);
        learnt(weight, compact(a, all, input.slots, 1));
      }
      if (input.learns) send(graph, input, blockedInputGradient(a, gradient, input, filter, window));
    });
    return output;
  };

  const convolved = (input: Maps, layer: string, window: Window): Maps => {
    if (input.slots !== undefined) return blockedConvolved(input, layer, window);
    const weight = `${layer}.weight`;
    const shape = shapeOf(input, weight);
    const value = convolve(a, input.value, parameters.kernel(weight), window);
    const output: Maps = { ...after(input, shape, window), value, learns: input.learns || learns(weight) };
    tape.record(() => {
      const { gradient } = output;
      if (gradient === undefined) return;
      if (learns(weight)) learnt(weight, weightGradient(a, gradient, input.value, window, shape));
      if (input.learns) send(graph, input, inputGradient(a, gradient, parameters.kernel(weight), window, shape));
    });
    return output;
  };

  /** The first convolution: it has a bias, and reads the raw pixels through a BatchNorm. */
  const stem = ({ standard, layer: norm }: Normalised, layer: string, window: Window): Maps => {
    const [weight, bias, scale, offset] = [`${layer}.weight`, `${layer}.bias`, `${norm}.weight`, `${norm}.bias`];
    const shape = { ...shapeOf(standard, weight), apart: a.block > 1 };
    const { exact, kernel, lowered } = parameters;
    const { output: input, factor } = scaleAndShift(a, standard.values, standard, exact(scale), exact(offset), false);
    const blocked = a.block > 1 ? filterOf(weight, standard, window) : undefined;
    const value =
      blocked === undefined
        ? convolve(a, input, kernel(weight), window, [lowered(bias)])
        : blockedConvolve(a, input, standard, blocked, window, [spread(a, exact(bias), blocked.outputs)]);
    const output: Maps = {
      ...after(standard, shape, window),
      ...(blocked && { channels: blocked.outputs.length, slots: blocked.outputs }),
      value,
      learns: [weight, bias, scale, offset].some(learns),
    };
    tape.record(() => {
      const { gradient } = output;
      if (gradient === undefined) return;
      const { maps, inverse } = standard.values;
      const all = affineInputGradients(a, gradient, maps, exact(weight), factor, exact(offset), window, shape);
      if (learns(weight)) learnt(weight, all.weight);
      if (learns(bias)) learnt(bias, all.outputs);
      if (learns(scale)) learnt(scale, graph.node("Mul", [all.factor, inverse]));
      if (learns(offset)) learnt(offset, all.bias);
    });
    return output;
  };

  /** The maps themselves, whatever was put off; computed once, however many read them. */
  const done = new Map<Signal, Maps>();
  const materialised = (signal: Signal): Maps => {
    if (signal.kind === "maps") return signal;
    if (signal.kind !== "normalised" && signal.kind !== "pointwise") throw unexpected("reader", signal);
    const maps =
      done.get(signal) ??
      (signal.kind === "normalised" ? applied(signal) : convolved(signal.input, signal.layer, pointwise));
    done.set(signal, maps);
    return maps;
  };

  const pooled = (input: Maps, pool: Pool, height: number, width: number): Maps => {
    const output: Maps = { ...input, value: pool.output, height, width };
    tape.record(() => {
      if (output.gradient && input.learns) send(graph, input, pool.inputGradient(output.gradient));
    });
    return output;
  };

  return {
    batchNorm(input, layer) {
      const parts = input.kind === "joined" ? input.parts : [materialised(input)];
      const standard = standardised(parts);
      const [mean, variance] = [standard.values.mean, standard.values.variance].map((value) =>
        compact(a, value, standard.slots),
      ) as [Value, Value];
      context.measured(layer, { mean, variance, count: images * standard.height * standard.width });
      return { kind: "normalised", standard, layer, rectify: false };
    },

    relu(input) {
      if (input.kind !== "normalised") throw unexpected("ReLU", input);
      return { ...input, rectify: true };
    },

    convolution(input, layer, window) {
      if (input.kind === "normalised" && !input.rectify && !input.standard.learns) return stem(input, layer, window);
      const maps = materialised(input);
      return window.kernel === 1 ? { kind: "pointwise", input: maps, layer } : convolved(maps, layer, window);
    },

    maxPool(input, window) {
      // The ReLU of a maximum is the maximum of ReLUs, for a quarter of the work.
      const late = input.kind === "normalised" && input.rectify;
      const maps = materialised(late ? { ...input, rectify: false } : input);
      const step = maxPool(a, maps.value, window, maps);
      const output = pooled(maps, step, outputSize(maps.height, window), outputSize(maps.width, window));
      return late ? pooled(output, rectify(a, output.value), output.height, output.width) : output;
    },

    averagePool(input) {
      const early = input.kind === "pointwise" ? input.input : materialised(input);
      const step = averagePool(a, early.value, early);
      const maps = pooled(early, step, early.height >> 1, early.width >> 1);
      return input.kind === "pointwise" ? { ...input, input: maps } : maps;
    },

    concat: (inputs) => ({ kind: "joined", parts: inputs.map(materialised) }),

    globalAveragePool(input) {
      const maps = materialised(input);
      const step = globalAveragePool(a, maps.value, maps);
      const width = maps.slots === undefined ? maps.channels : channelsIn(maps.slots);
      const rows: Rows = { kind: "rows", value: step.output, width, learns: maps.learns };
      tape.record(() => {
        if (rows.gradient && maps.learns) send(graph, maps, step.inputGradient(rows.gradient));
      });
      return rows;
    },

    appendPlates(features) {
      if (features.kind !== "rows") throw unexpected("plate input", features);
      const plates = context.plates();
      const value = graph.node("Concat", [features.value, plates.value], { axis: 1 });
      const rows: Rows = { ...features, value, width: features.width + plates.width };
      tape.record(() => {
        if (rows.gradient === undefined || !features.learns) return;
        const ends = [graph.ints(0), graph.ints(features.width), graph.ints(1)];
        send(graph, features, graph.node("Slice", [rows.gradient, ...ends]));
      });
      return rows;
    },

    linear(input, layer) {
      if (input.kind !== "rows") throw unexpected("linear layer", input);
      const [weight, bias] = [`${layer}.weight`, `${layer}.bias`];
      const matrix = parameters.exact(weight);
      const { cosineScale } = context;
      const step =
        cosineScale === undefined
          ? linear(a, input.value, matrix, parameters.exact(bias))
          : cosines(a, input.value, matrix, cosineScale);
      const width = parameters.shape(weight)[0]!;
      const rows: Rows = { kind: "rows", value: step.output, width, learns: input.learns || learns(weight) };
      tape.record(() => {
        if (rows.gradient === undefined) return;
        if (learns(weight)) learnt(weight, step.weightGradient(rows.gradient));
        if (learns(bias)) learnt(bias, step.biasGradient(rows.gradient));
        if (input.learns) send(graph, input, step.inputGradient(rows.gradient));
      });
      return rows;
    },
  };
};
