/** All parameters of a network in one array, and all statistics in two: what the graphs take and give. */
import { PlatestreamError } from "../../common/errors.ts";
import {
  type Architecture,
  normLayers,
  type Parameter,
  parameters,
  type Weights,
} from "../../gpu-worker/network/architecture.ts";

/** Where a tensor lies in a flat array. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: Parameter["kind"];
  readonly offset: number;
  readonly length: number;
}

export interface FlatIndex {
  /** Trainable tensors in the network's order. */
  readonly slots: readonly Slot[];
  /** Numbers in all slots. */
  readonly length: number;
  /** BatchNorm layers in order; the slots of `means` and of `variances` are the same. */
  readonly norms: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
  readonly normLength: number;
}

/** Weights and running statistics of one network; the arrays are written in place as it learns. */
export interface FlatNetwork {
  readonly weights: Float32Array;
  readonly means: Float32Array;
  readonly variances: Float32Array;
}

const product = (shape: readonly number[]): number => shape.reduce((size, dimension) => size * dimension, 1);

export const flatIndex = (architecture: Architecture): FlatIndex => {
  const slots: Slot[] = [];
  let length = 0;
  for (const { name, shape, kind } of parameters(architecture)) {
    if (kind === "statistic") continue;
    const size = product(shape);
    slots.push({ name, shape, kind, offset: length, length: size });
    length += size;
  }
  let normLength = 0;
  const norms = normLayers(architecture).map(({ name, maps }) => {
    const norm = { name, offset: normLength, length: maps };
    normLength += maps;
    return norm;
  });
  return { slots, length, norms, normLength };
};

/** Throws "invalid-model" when a tensor is missing or has another size. `source` names the weights in errors. */
export const flatten = (architecture: Architecture, weights: Weights, source: string): FlatNetwork => {
  const index = flatIndex(architecture);
  const copy = (into: Float32Array, name: string, offset: number, length: number) => {
    const tensor = weights.get(name);
    if (tensor?.length !== length)
      throw new PlatestreamError(
        "invalid-model",
        `${source}: tensor ${name} must hold ${length} numbers, got ${tensor?.length ?? "none"}; ` +
          "the weights belong to another architecture",
      );
    into.set(tensor, offset);
  };
  const flat: FlatNetwork = {
    weights: new Float32Array(index.length),
    means: new Float32Array(index.normLength),
    variances: new Float32Array(index.normLength),
  };
  for (const { name, offset, length } of index.slots) copy(flat.weights, name, offset, length);
  for (const { name, offset, length } of index.norms) {
    copy(flat.means, `${name}.running_mean`, offset, length);
    copy(flat.variances, `${name}.running_var`, offset, length);
  }
  return flat;
};

/** The tensors by torchvision's names, as copies. */
export const unflatten = (architecture: Architecture, flat: FlatNetwork): Map<string, Float32Array> => {
  const index = flatIndex(architecture);
  const slots = new Map(index.slots.map((slot) => [slot.name, slot]));
  const norms = new Map(index.norms.map((norm) => [norm.name, norm]));
  return new Map(
    parameters(architecture).map(({ name, kind }) => {
      if (kind !== "statistic") {
        const { offset, length } = slots.get(name)!;
        return [name, flat.weights.slice(offset, offset + length)];
      }
      const { offset, length } = norms.get(name.slice(0, name.lastIndexOf(".")))!;
      const from = name.endsWith(".running_mean") ? flat.means : flat.variances;
      return [name, from.slice(offset, offset + length)];
    }),
  );
};
