/** What every graph of training reads: pixels with their affine, and the parameters as one flat array. */
import type { Architecture } from "../model/architecture.ts";
import { elementTypes, type Value } from "../onnx/graph.ts";
import { type Arithmetic, lower, reshape } from "./arithmetic.ts";
import type { FlatLayout } from "./flat.ts";

/**
 * Inputs `pixels` [N, C, H, W] uint8, `scale` and `offset` [N, C]: pixel * scale + offset is what the network sees.
 * Float32 throughout, for the statistics of raw pixels decide about everything behind them.
 */
export const pixelInput = (a: Arithmetic, { channels, height, width }: Architecture): Value => {
  const { graph, images } = a;
  const pixels = graph.input("pixels", "uint8", [images, channels, height, width]);
  const perImage = (name: string) =>
    reshape(a, graph.input(name, "float32", [images, channels]), images, channels, 1, 1);
  const numbers = graph.node("Cast", [pixels], { to: elementTypes.float32 });
  return lower(a, graph.node("Add", [graph.node("Mul", [numbers, perImage("scale")]), perImage("offset")]));
};

export interface ParameterInput {
  shape(name: string): readonly number[];
  /** The tensor in float32 and its own shape. */
  exact(name: string): Value;
  /** The tensor in the precision of the feature maps. */
  lowered(name: string): Value;
}

/** Input `weights`: all parameters, in the order of the layout. */
export const parameterInput = (a: Arithmetic, { slots, length }: FlatLayout): ParameterInput => {
  const { graph } = a;
  const pieces = graph.nodes(
    "Split",
    [graph.input("weights", "float32", [length]), graph.ints(...slots.map((slot) => slot.length))],
    { axis: 0 },
    slots.map(({ name }) => `flat:${name}`),
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
  return { shape, exact, lowered: once((name) => lower(a, exact(name))) };
};
