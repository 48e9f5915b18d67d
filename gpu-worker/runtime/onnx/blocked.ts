/**
 * The network in ONNX Runtime's own blocked memory format, for its CPU provider.
 *
 * The CPU kernels for convolution are fastest on [N, C/b, H, W, b], b channels to a vector register. ONNX Runtime moves
 * a graph into that format by itself only where BatchNorm is constant; with statistics that are computed or given at run
 * time it goes back and forth between formats, which costs half the speed. So the nodes of that format
 * (`com.microsoft.nchwc`) are written directly. A BatchNorm with its ReLU is a depthwise 1x1 convolution there, one
 * pass over the maps; its weights may be computed in the graph.
 */

import { epsilon, parameters } from "../../network/architecture.ts";
import { densenet, type Operations, type Window } from "../../network/densenet.ts";
import { blockFilter, joinSlots, occupied, type Slots, slotsOf, spreadOver } from "./blocked-format.ts";
import { OnnxGraph, type Value } from "./graph.ts";
import type { NetworkParts } from "./network-parts.ts";

const nchwc = (op: string) => `com.microsoft.nchwc:${op}`;

/** Feature maps that stand in the graph. */
interface Maps {
  readonly kind: "maps";
  readonly value: Value;
  readonly slots: Slots;
  readonly rowMajor?: boolean;
  moments?: Moments;
}
/** Side by side, not copied together until a layer reads them. */
interface Joined {
  readonly kind: "joined";
  readonly parts: readonly Maps[];
}
/** Not computed yet: a BatchNorm that follows is folded into it, an average pool goes first. */
interface Convolved {
  readonly kind: "convolved";
  readonly input: Signal;
  readonly layer: string;
  readonly window: Window;
  maps?: Maps;
}
/** Not computed yet: with the ReLU that follows it is one pass. */
interface Normalised {
  readonly kind: "normalised";
  readonly input: Signal;
  readonly layer: string;
  readonly relu: boolean;
}
/** The pixels as they come. */
interface Pixels {
  readonly kind: "pixels";
  readonly value: Value;
}
interface Rows {
  readonly kind: "rows";
  readonly value: Value;
}
type Signal = Maps | Joined | Convolved | Normalised | Pixels | Rows;

/** Mean and biased variance per slot, and how many values they rest on. */
interface Moments {
  readonly mean: Value;
  readonly variance: Value;
  readonly count: Value;
}
/** What a BatchNorm amounts to, per slot: x * factor + term. */
interface Affine {
  readonly factor: Value;
  readonly term: Value;
}

const shapeOf = ({ kernel, stride, padding }: Window) => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});
const halving: Window = { kernel: 2, stride: 2, padding: 0 };

const blockedOperations = (parts: NetworkParts, block: number): Operations<Signal> => {
  const { graph, architecture, weights, scale, offset } = parts;
  const shapes = new Map(parameters(architecture).map(({ name, shape }) => [name, shape]));
  const outputsOf = (layer: string) => slotsOf(shapes.get(`${layer}.weight`)![0]!, block);
  const rawSlots = Int32Array.from({ length: architecture.channels }, (_, channel) => channel);

  const vector = (name: string, slots: Slots): Value =>
    graph.constant(`${name}.slots`, spreadOver(slots, weights.get(name)!), [slots.length]);
  const unary = (op: string, input: Value) => graph.node(op, [input]);
  const add = (a: Value, b: Value) => graph.node("Add", [a, b]);
  const subtract = (a: Value, b: Value) => graph.node("Sub", [a, b]);
  const multiply = (a: Value, b: Value) => graph.node("Mul", [a, b]);
  const divide = (a: Value, b: Value) => graph.node("Div", [a, b]);
  const reshape = (value: Value, ...shape: number[]) => graph.node("Reshape", [value, graph.ints(...shape)]);
  const meanOver = (value: Value, ...axes: number[]) => graph.node("ReduceMean", [value], { axes, keepdims: 0 });

  const depthwise = (value: Value, { factor, term }: Affine, width: number, relu: boolean): Value =>
    graph.node(nchwc("Conv"), [value, reshape(factor, width, 1, 1, 1), term], {
      group: width,
      ...(relu ? { activation: "Relu" } : {}),
    });

  const given = (layer: string, slots: Slots): readonly [Value, Value] => {
    const [mean, variance] = parts.fixed!(layer);
    const padded = graph.ints(...Array.from(slots, (slot) => Math.max(slot, 0)));
    const spread = (value: Value) => (slots.includes(-1) ? graph.node("Gather", [value, padded]) : value);
    return [spread(mean), spread(variance)];
  };
  const measured = (layer: string, slots: Slots, { mean, variance, count }: Moments): readonly [Value, Value] => {
    const unbiased = multiply(variance, divide(count, subtract(count, graph.scalar(1))));
    const real = graph.ints(...occupied(slots));
    const compact = (value: Value) => (slots.includes(-1) ? graph.node("Gather", [value, real]) : value);
    parts.report(layer, compact(mean), compact(unbiased));
    return [mean, variance];
  };
  const affineOf = (layer: string, slots: Slots, moments: () => Moments): Affine => {
    const [mean, variance] = parts.fixed === undefined ? measured(layer, slots, moments()) : given(layer, slots);
    const deviation = unary("Sqrt", add(variance, graph.scalar(epsilon)));
    const factor = divide(vector(`${layer}.weight`, slots), deviation);
    return { factor, term: subtract(vector(`${layer}.bias`, slots), multiply(mean, factor)) };
  };

  const countOf = (value: Value, width: number): Value =>
    divide(graph.node("Cast", [unary("Size", value)], { to: 1 }), graph.scalar(width));

  /**
   * Sum of squares, [N, width, …]. Image by image: the image as one depthwise filter of its own size over itself. That
   * reads every value once and writes none, which no operation for sums of squares does in this format.
   */
  const squaresOf = (value: Value, width: number): Value => {
    const body = new OnnxGraph("squares");
    const image = body.input("image", "float32", [width, "h", "w"]);
    const around = (axis: number) => body.node("Unsqueeze", [image, body.ints(axis)]);
    body.node(nchwc("Conv"), [around(0), around(1)], { group: width }, "square");
    body.output("square", "float32", [1, width, 1, 1]);
    return graph.node("Scan", [value], { body, num_scan_inputs: 1 });
  };

  /**
   * The variance as mean square less squared mean, so that the maps are read only. Measured relative error: 1e-5 where
   * the mean of a map is 6 times its deviation, 1e-4 at 20 times; convolutions of normalised maps stay below that.
   */
  const momentsOf = (maps: Maps): Moments => {
    if (maps.moments !== undefined) return maps.moments;
    const { value, slots } = maps;
    const width = slots.length;
    const count = countOf(value, width);
    const mean = meanOver(unary(nchwc("GlobalAveragePool"), value), 0, 2, 3);
    const total = graph.node("ReduceSum", [squaresOf(value, width), graph.ints(0)], { keepdims: 0 });
    const square = divide(reshape(total, width), count);
    const variance = graph.node("Max", [subtract(square, multiply(mean, mean)), graph.scalar(0)]);
    maps.moments = { mean, variance, count };
    return maps.moments;
  };
  const momentsOfAll = (parts: readonly Maps[]): Moments => {
    const all = parts.map(momentsOf);
    if (all.length === 1) return all[0]!;
    const mean = graph.node(
      "Concat",
      all.map((moments) => moments.mean),
      { axis: 0 },
    );
    const variance = graph.node(
      "Concat",
      all.map((moments) => moments.variance),
      { axis: 0 },
    );
    return { mean, variance, count: all[0]!.count };
  };

  const join = (parts: readonly Maps[]): Maps => {
    if (parts.length === 1) return parts[0]!;
    const values = parts.map(({ value }) => value);
    return {
      kind: "maps",
      value: graph.node("Concat", values, { axis: 1 }),
      slots: joinSlots(parts.map(({ slots }) => slots)),
    };
  };

  /** The affine pixels, normalised: one multiplication and one addition per pixel. */
  const normalisePixels = (pixels: Value, layer: string): Maps => {
    const squeeze = (value: Value) => graph.node("Squeeze", [value, graph.ints(2, 3)]);
    const wide = (value: Value) => graph.node("Unsqueeze", [value, graph.ints(2, 3)]);
    let centred = pixels;
    let shift = offset;
    const { factor, term } = affineOf(layer, rawSlots, () => {
      // Centred image by image first: the variance of dim images on a high offset would drown in rounding otherwise.
      const average = unary("GlobalAveragePool", pixels);
      centred = subtract(pixels, average);
      shift = add(multiply(squeeze(average), scale), offset);
      const mean = meanOver(shift, 0);
      const apart = subtract(shift, mean);
      const within = multiply(meanOver(multiply(centred, centred), 2, 3), multiply(scale, scale));
      const variance = meanOver(add(within, multiply(apart, apart)), 0);
      return { mean, variance, count: countOf(pixels, rawSlots.length) };
    });
    const normalised = add(multiply(centred, wide(multiply(scale, factor))), wide(add(multiply(shift, factor), term)));
    return { kind: "maps", value: normalised, slots: rawSlots, rowMajor: true };
  };

  const filterOf = (layer: string, kernel: number, outputs: Slots, { slots, rowMajor }: Maps): Value => {
    const order = rowMajor ? "row-major" : "blocked";
    const data = blockFilter(weights.get(`${layer}.weight`)!, kernel, outputs, slots, block, order);
    return graph.constant(`${layer}.blocked`, data, [outputs.length, slots.length, kernel, kernel]);
  };

  /** Computes a convolution; with `norm`, whose statistics are given, scaled so that it leaves normalised maps. */
  const convolve = ({ input, layer, window }: Convolved, norm?: Normalised): Maps => {
    const maps = join(partsOf(input));
    const outputs = outputsOf(layer);
    const width = outputs.length;
    let filter = filterOf(layer, window.kernel, outputs, maps);
    let bias = weights.has(`${layer}.bias`) ? vector(`${layer}.bias`, outputs) : undefined;
    if (norm !== undefined) {
      const { factor, term } = affineOf(norm.layer, outputs, () => {
        throw new Error("statistics are given");
      });
      // A blocked filter is laid out as blocked maps are, O channels of I*k*k pixels: the same fast pass scales it.
      const rows = reshape(filter, 1, width, -1, 1);
      const zeros = graph.constant(`zeros_${width}`, new Float32Array(width), [width]);
      filter = reshape(
        depthwise(rows, { factor, term: zeros }, width, false),
        width,
        maps.slots.length,
        window.kernel,
        window.kernel,
      );
      bias = bias === undefined ? term : add(multiply(bias, factor), term);
    }
    const value = graph.node(nchwc("Conv"), [maps.value, filter, ...(bias === undefined ? [] : [bias])], {
      ...shapeOf(window),
      ...(norm?.relu ? { activation: "Relu" } : {}),
    });
    return { kind: "maps", value, slots: outputs };
  };

  /** Computes what was put off. */
  const partsOf = (signal: Signal): readonly Maps[] => {
    switch (signal.kind) {
      case "maps":
        return [signal];
      case "joined":
        return signal.parts;
      case "convolved":
        signal.maps ??= convolve(signal);
        return [signal.maps];
      case "normalised": {
        const { input, layer, relu } = signal;
        if (input.kind === "pixels") return [normalisePixels(input.value, layer)];
        if (input.kind === "convolved" && parts.fixed !== undefined) return [convolve(input, signal)];
        const all = partsOf(input);
        const { value, slots } = join(all);
        const affine = affineOf(layer, slots, () => momentsOfAll(all));
        return [{ kind: "maps", value: depthwise(value, affine, slots.length, relu), slots }];
      }
      default:
        throw new Error(`there are no feature maps in ${signal.kind}`);
    }
  };
  const mapsOf = (signal: Signal): Maps => join(partsOf(signal));
  const pooled = (op: string, maps: Maps, window: Window): Maps => ({
    kind: "maps",
    value: graph.node(nchwc(op), [maps.value], shapeOf(window)),
    slots: maps.slots,
  });
  const rowsOf = (signal: Signal): Value => (signal as Rows).value;

  return {
    batchNorm: (input, layer) => ({ kind: "normalised", input, layer, relu: false }),
    relu: (input) => ({ ...(input as Normalised), relu: true }),
    convolution: (input, layer, window) => ({ kind: "convolved", input, layer, window }),
    concat: (inputs) => ({ kind: "joined", parts: inputs.flatMap(partsOf) }),
    maxPool: (input, window) => pooled("MaxPool", mapsOf(input), window),
    averagePool(input) {
      // A 1x1 convolution and an average change places: a quarter of the work.
      const { layer, window, input: read } = input as Convolved;
      return { kind: "convolved", layer, window, input: pooled("AveragePool", mapsOf(read), halving) };
    },
    globalAveragePool(input) {
      const { value, slots } = mapsOf(input);
      const rows = graph.node("Flatten", [unary(nchwc("GlobalAveragePool"), value)], { axis: 1 });
      return { kind: "rows", value: graph.node("Gather", [rows, graph.ints(...occupied(slots))], { axis: 1 }) };
    },
    appendPlates: (features) => ({
      kind: "rows",
      value: graph.node("Concat", [rowsOf(features), parts.plate!], { axis: 1 }),
    }),
    linear: (input, layer) => ({
      kind: "rows",
      value: graph.node(
        "Gemm",
        [
          rowsOf(input),
          graph.constant(`${layer}.weight`, weights.get(`${layer}.weight`)!, shapes.get(`${layer}.weight`)!),
          graph.constant(`${layer}.bias`, weights.get(`${layer}.bias`)!, shapes.get(`${layer}.bias`)!),
        ],
        { transB: 1 },
      ),
    }),
  };
};

/** Writes the network into the graph; returns its outputs. */
export const blockedNetwork = (parts: NetworkParts, block: number): { features: Value; logits: Value } => {
  const { features, logits } = densenet<Signal>(parts.architecture, blockedOperations(parts, block), {
    kind: "pixels",
    value: parts.pixels,
  });
  return { features: (features as Rows).value, logits: (logits as Rows).value };
};
