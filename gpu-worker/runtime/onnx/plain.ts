/** The network in portable ONNX, for providers that choose the memory format themselves. */

import { epsilon, parameters } from "../../network/architecture.ts";
import { densenet, type Operations, type Window } from "../../network/densenet.ts";
import type { Precision } from "../runtime.ts";
import { elementTypes, type Value } from "./graph.ts";
import type { NetworkParts } from "./network-parts.ts";

export interface PlainFormat {
  /** A power of two, see `padded`. */
  readonly channelMultiple: number;
  readonly precision: Precision;
}

const shapeOf = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});

const plainOperations = (parts: NetworkParts, { channelMultiple, precision }: PlainFormat): Operations<Value> => {
  const { graph, architecture, weights, fixed } = parts;
  const shapes = new Map(parameters(architecture).map(({ name, shape }) => [name, shape]));
  const constant = (name: string): Value => graph.constant(name, weights.get(name)!, shapes.get(name)!);
  const flat = (value: Value) => graph.node("Squeeze", [value, graph.ints(0, 2, 3)]);
  const averageOf = (maps: Value) => graph.node("ReduceMean", [maps], { axes: [0, 2, 3] });

  /**
   * A convolution's maps and filters, with as many channels of zeros as `channelMultiple` asks for: ONNX Runtime 1.30's
   * WebGPU kernels compute garbage for, say, 6 or 9 input channels and 32 outputs. 1x1 kernels are right.
   */
  const padded = (maps: Value, layer: string, { kernel }: Window): [maps: Value, filters: Value] => {
    const name = `${layer}.weight`;
    const [outputs, inputs, ...taps] = shapes.get(name)! as [number, number, number, number];
    const more = kernel === 1 ? 0 : -inputs & (channelMultiple - 1);
    if (more === 0) return [maps, constant(name)];
    const [from, to] = [inputs * kernel ** 2, (inputs + more) * kernel ** 2];
    const filters = new Float32Array(outputs * to);
    for (let o = 0; o < outputs; o++) filters.set(weights.get(name)!.subarray(o * from, (o + 1) * from), o * to);
    return [
      graph.node("Pad", [maps, graph.ints(0, 0, 0, 0, 0, more, 0, 0)]),
      graph.constant(`${name}.padded`, filters, [outputs, inputs + more, ...taps]),
    ];
  };

  const halves = precision === "float16";
  const lower = (value: Value): Value => (halves ? graph.node("Cast", [value], { to: elementTypes.float16 }) : value);
  const raise = (value: Value): Value => (halves ? graph.node("Cast", [value], { to: elementTypes.float32 }) : value);
  const vector = (name: string) =>
    graph.constant(`${name}.maps`, weights.get(name)!, [weights.get(name)!.length, 1, 1]);
  const deviation = (variance: Value) => graph.node("Sqrt", [graph.node("Add", [variance, graph.scalar(epsilon)])]);

  /** Two passes, mean first: written out because not every provider has BatchNormalization's training mode. */
  const normaliseWithOwn = (exact: Value, layer: string): Value => {
    const mean = averageOf(exact);
    const centred = graph.node("Sub", [exact, mean]);
    const variance = averageOf(graph.node("Mul", [centred, centred]));
    const size = graph.node("Cast", [graph.node("Size", [exact])], { to: elementTypes.float32 });
    const count = graph.node("Div", [size, graph.scalar(weights.get(`${layer}.weight`)!.length)]);
    const unbias = graph.node("Div", [count, graph.node("Sub", [count, graph.scalar(1)])]);
    parts.report(layer, flat(mean), graph.node("Mul", [flat(variance), unbias]));
    const factor = graph.node("Div", [vector(`${layer}.weight`), deviation(variance)]);
    return graph.node("Add", [graph.node("Mul", [centred, factor]), vector(`${layer}.bias`)]);
  };

  /** Factor and term per channel in float32, applied to halves. */
  const normaliseHalves = (maps: Value, layer: string, [mean, variance]: readonly [Value, Value]): Value => {
    const tall = (value: Value) => graph.node("Unsqueeze", [value, graph.ints(1, 2)]);
    const factor = graph.node("Div", [vector(`${layer}.weight`), tall(deviation(variance))]);
    const term = graph.node("Sub", [vector(`${layer}.bias`), graph.node("Mul", [tall(mean), factor])]);
    return graph.node("Add", [graph.node("Mul", [maps, lower(factor)]), lower(term)]);
  };

  return {
    batchNorm(maps, layer) {
      const raw = layer === "bn"; // over the pixels, which are float32 in either precision
      if (fixed === undefined) return lower(normaliseWithOwn(raw ? maps : raise(maps), layer));
      if (halves && !raw) return normaliseHalves(maps, layer, fixed(layer));
      const inputs = [maps, constant(`${layer}.weight`), constant(`${layer}.bias`), ...fixed(layer)];
      return lower(graph.node("BatchNormalization", inputs, { epsilon: { float: epsilon } }));
    },
    convolution(maps, layer, window) {
      const bias = weights.has(`${layer}.bias`) ? [lower(constant(`${layer}.bias`))] : [];
      const [input, filters] = padded(maps, layer, window);
      return graph.node("Conv", [input, lower(filters), ...bias], shapeOf(window));
    },
    relu: (maps) => graph.node("Relu", [maps]),
    maxPool: (maps, window) => graph.node("MaxPool", [maps], shapeOf(window)),
    averagePool: (maps) => graph.node("AveragePool", [maps], shapeOf({ kernel: 2, stride: 2, padding: 0 })),
    concat: (maps) => (maps.length === 1 ? maps[0]! : graph.node("Concat", maps, { axis: 1 })),
    globalAveragePool: (maps) => graph.node("Flatten", [graph.node("GlobalAveragePool", [raise(maps)])], { axis: 1 }),
    appendPlates: (features) => graph.node("Concat", [features, parts.plate!], { axis: 1 }),
    linear: (features, layer) =>
      graph.node("Gemm", [features, constant(`${layer}.weight`), constant(`${layer}.bias`)], { transB: 1 }),
  };
};

/** Writes the network into the graph; returns its outputs. */
export const plainNetwork = (parts: NetworkParts, format: PlainFormat): { features: Value; logits: Value } => {
  const { graph, pixels, scale, offset } = parts;
  const wide = (rows: Value) => graph.node("Unsqueeze", [rows, graph.ints(2, 3)]);
  const input = graph.node("Add", [graph.node("Mul", [pixels, wide(scale)]), wide(offset)]);
  return densenet(parts.architecture, plainOperations(parts, format), input);
};
