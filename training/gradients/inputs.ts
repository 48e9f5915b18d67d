/** What every graph of training reads: pixels with their affine, and the parameters as one flat array. */
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import { elementTypes, type Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { FlatIndex } from "../learner/flat.ts";
import { type Arithmetic, lower, reshape } from "./arithmetic.ts";

export type PixelType = "uint8" | "uint16";

/**
 * Inputs `pixels` [N, C, H, W] uint8 or uint16, `scale` and `offset` [N, C]: pixel * scale + offset is what the network sees.
 * Float32 throughout, for the statistics of raw pixels decide about everything behind them.
 */
export const pixelInput = (
  a: Arithmetic,
  { channels, height, width }: Architecture,
  type: PixelType = "uint8",
): Value => {
  const { graph, images } = a;
  const pixels = graph.input("pixels", type, [images, channels, height, width]);
  const perImage = (name: string) =>
    reshape(a, graph.input(name, "float32", [images, channels]), images, channels, 1, 1);
  const numbers = graph.node("Cast", [pixels], { to: elementTypes.float32 });
  return lower(a, graph.node("Add", [graph.node("Mul", [numbers, perImage("scale")]), perImage("offset")]));
};

/** The same as feature maps of training, [1, C, N, H, W]; as they are where maps are blocked. */
export const pixelMaps = (a: Arithmetic, architecture: Architecture, type?: PixelType): Value => {
  const { channels, height, width } = architecture;
  if (a.block > 1) return pixelInput(a, architecture, type);
  const images = a.graph.node("Transpose", [pixelInput(a, architecture, type)], { perm: [1, 0, 2, 3] });
  return reshape(a, images, 1, channels, a.images, height, width);
};

export interface ParameterInput {
  shape(name: string): readonly number[];
  /** The tensor in float32 and its own shape. */
  exact(name: string): Value;
  /** The tensor in the precision of the feature maps. */
  lowered(name: string): Value;
  /** The weights of a convolution as [outputs, inputs, 1, k, k] in the precision of the feature maps. */
  kernel(name: string): Value;
}

/** Input `weights`: all parameters, in the order of the index. */
export const parameterInput = (a: Arithmetic, { slots, length }: FlatIndex): ParameterInput => {
  const { graph } = a;
  const pieces = slots.map(({ name }) => `flat:${name}`);
  graph.split(
    graph.input("weights", "float32", [length]),
    slots.map((slot) => slot.length),
    pieces,
  );
  const places = new Map(slots.map(({ name, shape }, i) => [name, { shape, piece: pieces[i]! }]));
  const shape = (name: string) => places.get(name)!.shape;
  const once = (make: (name: string) => Value) => {
    const made = new Map<string, Value>();
    return (name: string) => {
      const value = made.get(name) ?? make(name);
      made.set(name, value);
      return value;
    };
  };
  const exact = once((name) => {
    const { piece } = places.get(name)!;
    return shape(name).length === 1 ? piece : reshape(a, piece, ...shape(name));
  });
  const lowered = once((name) => lower(a, exact(name)));
  const kernel = once((name) => {
    const [outputs, inputs, tall, wide] = shape(name);
    return lower(a, reshape(a, places.get(name)!.piece, outputs!, inputs!, 1, tall!, wide!));
  });
  return { shape, exact, lowered, kernel };
};
