/** Max pooling and its derivative. */
import type { Window } from "../../gpu-worker/network/densenet.ts";
import { elementTypes, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, lower, type MapShape, raise, reshape } from "./arithmetic.ts";
import { blockedDoubled, blockedHalved, blockedWindow, fromRows, nchwc, toRows } from "./blocked-maps.ts";
import { outputSize, windowAttributes } from "./windows.ts";

/** The gradient goes to the first of equal maxima, as in PyTorch, or is shared by them where windows lie side by side. */
export const maxPool = (a: Arithmetic, maps: Value, window: Window, shape: MapShape) =>
  shape.slots !== undefined && sideBySide(window, shape)
    ? halving(a, maps, shape)
    : a.poolIndices === false && shape.slots === undefined
      ? tapByTap(a, maps, window, shape)
      : overlapping(a, maps, window, shape);

const sideBySide = ({ kernel, stride, padding }: Window, { height, width }: MapShape): boolean =>
  kernel === 2 && stride === 2 && padding === 0 && height % 2 === 0 && width % 2 === 0;

/** Blocked maps, 2x2 without overlap: what equals the maximum of its window is one; no indices are kept. */
const halving = (a: Arithmetic, maps: Value, { channels }: MapShape) => {
  const { graph } = a;
  const output = graph.node(nchwc("MaxPool"), [maps], blockedWindow({ kernel: 2, stride: 2, padding: 0 }));
  return {
    output,
    inputGradient: (gradient: Value): Value => {
      const negative = graph.constant(`minus_${channels}`, new Float32Array(channels).fill(-1), [channels, 1, 1, 1]);
      const none = graph.constant(`zeros_${channels}`, new Float32Array(channels), [channels]);
      // 1e30 * (maps - maximum) + 1, cut to 0..1: 1 where they are equal, else 0.
      const chosen = graph.node(nchwc("Conv"), [blockedDoubled(a, output), negative, none, maps], {
        group: channels,
        kernel_shape: [1, 1],
        activation: "HardSigmoid",
        activation_params: { floats: [1e30, 1] },
      });
      const share = graph.node("Div", [gradient, graph.node("Mul", [blockedHalved(a, chosen), graph.scalar(4)])]);
      return graph.node("Mul", [blockedDoubled(a, share), chosen]);
    },
  };
};

const overlapping = (a: Arithmetic, maps: Value, window: Window, shape: MapShape) => {
  const { graph } = a;
  const { channels, height, width, slots } = shape;
  const size = a.images * channels * height * width;
  const blocked = slots !== undefined;
  const [output, indices] = graph.nodes(
    "MaxPool",
    [blocked ? toRows(a, maps, channels) : maps],
    blocked ? blockedWindow(window) : windowAttributes(window),
    [graph.fresh("MaxPool"), graph.fresh("at")],
  );
  return {
    output: blocked ? fromRows(a, output!) : output!,
    inputGradient: (gradient: Value): Value => {
      const nothing = graph.node("ConstantOfShape", [graph.ints(size)]);
      const flat = (value: Value) => reshape(a, value, -1);
      const rows = blocked ? toRows(a, gradient, channels) : raise(a, gradient);
      const scattered = graph.node("ScatterElements", [nothing, flat(indices!), flat(rows)], {
        axis: 0,
        reduction: "add",
      });
      return blocked
        ? fromRows(a, reshape(a, scattered, a.images, channels, height, width))
        : reshape(a, lower(a, scattered), 1, channels, a.images, height, width);
    },
  };
};

/** Without indices: a tap of the window that equals the maximum, and none before it does, was the maximum. */
const tapByTap = (a: Arithmetic, maps: Value, window: Window, { channels, height, width }: MapShape) => {
  const { graph } = a;
  const { kernel, stride, padding } = window;
  const output = graph.node("MaxPool", [maps], windowAttributes(window));
  const [tall, wide] = [outputSize(height, window), outputSize(width, window)];
  const all = channels * a.images;
  /** Reached by the last window, and the frame around the maps. */
  const framed = (size: number, outputs: number) => Math.max(size + 2 * padding, (outputs - 1) * stride + kernel);
  const [tallest, widest] = [framed(height, tall), framed(width, wide)];
  const flat = (value: Value, ...size: number[]) => reshape(a, value, 1, all, ...size);
  const lowest = graph.constant("lowest", Float32Array.of(-3e38), []);
  const slice = (value: Value, from: readonly number[], to: readonly number[], step: number) =>
    graph.node("Slice", [value, graph.ints(...from), graph.ints(...to), graph.ints(2, 3), graph.ints(step, step)]);
  /** Values of the windows where their tap [y, x] lies, zeros elsewhere. */
  const spreadTo = (values: Value, y: number, x: number): Value => {
    const groups = reshape(a, values, all, tall, 1, wide, 1);
    const apart = graph.node("Pad", [groups, graph.ints(0, 0, 0, 0, 0, 0, 0, stride - 1, 0, stride - 1)]);
    const [rows, columns] = [tall * stride, wide * stride];
    const placed = graph.node("Pad", [
      flat(apart, rows, columns),
      graph.ints(0, 0, y, x, 0, 0, Math.max(tallest - rows - y, 0), Math.max(widest - columns - x, 0)),
    ]);
    return slice(placed, [padding, padding], [padding + height, padding + width], 1);
  };
  return {
    output,
    inputGradient: (gradient: Value): Value => {
      const ends = [tallest - height - padding, widest - width - padding] as const;
      const frame = graph.ints(0, 0, padding, padding, 0, 0, ...ends);
      const padded = graph.node("Pad", [raise(a, flat(maps, height, width)), frame, lowest]);
      const [most, sent] = [raise(a, flat(output, tall, wide)), raise(a, flat(gradient, tall, wide))];
      let open: Value | undefined;
      let total: Value | undefined;
      for (let tap = 0; tap < kernel ** 2; tap++) {
        const [y, x] = [Math.floor(tap / kernel), tap % kernel];
        const end = [y + (tall - 1) * stride + 1, x + (wide - 1) * stride + 1];
        const equal = graph.node("Equal", [slice(padded, [y, x], end, stride), most]);
        const same = graph.node("Cast", [equal], { to: elementTypes.float32 });
        const first = open === undefined ? same : graph.node("Mul", [same, open]);
        open = graph.node("Sub", [open ?? graph.scalar(1), first]);
        const placed = spreadTo(graph.node("Mul", [first, sent]), y, x);
        total = total === undefined ? placed : graph.node("Add", [total, placed]);
      }
      return lower(a, reshape(a, total!, 1, channels, a.images, height, width));
    },
  };
};
