/** Max pooling and its derivative. */
import type { Window } from "../../gpu-worker/network/densenet.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import { type Arithmetic, lower, type MapShape, raise, reshape } from "./arithmetic.ts";
import { blockedDoubled, blockedHalved, blockedWindow, fromRows, nchwc, toRows } from "./blocked-maps.ts";
import { windowAttributes } from "./windows.ts";

/** The gradient goes to the first of equal maxima, as in PyTorch, or is shared by them where windows lie side by side. */
export const maxPool = (a: Arithmetic, maps: Value, window: Window, shape: MapShape) =>
  shape.slots !== undefined && sideBySide(window, shape)
    ? halving(a, maps, shape)
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
