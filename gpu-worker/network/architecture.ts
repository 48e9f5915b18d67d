/**
 * DenseNet as data: torchvision's layers and parameter names, with a BatchNorm over the raw channels in front.
 *
 * Huang et al. 2017, "Densely Connected Convolutional Networks" (arXiv 1608.06993); names as in torchvision.
 */
import { z } from "zod";
import type { NormLayer } from "../../common/norm-statistics.ts";

/** Convolution and pooling before the first dense block. Pooling is max pooling. */
export const stems = {
  imagenet: { kernel: 7, stride: 2, padding: 3, pool: { kernel: 3, stride: 2, padding: 1 } },
  small: { kernel: 5, stride: 2, padding: 2, pool: { kernel: 2, stride: 2, padding: 0 } },
} as const;

/** Larger than any network that is served, so that a typing error is refused before memory runs out. */
export const most = { layers: 128, maps: 4096, pixels: 2 ** 15, classes: 1_000_000 } as const;

const maps = z.int().positive().max(most.maps);
const side = z.int().positive().max(most.pixels);

export const architectureSchema = z
  .strictObject({
    growth: maps.describe("growth rate: feature maps that every dense layer adds"),
    blocks: z.array(z.int().positive().max(most.layers)).min(1).max(8).describe("dense layers per dense block"),
    init: maps.describe("feature maps of the first convolution"),
    bottleneck: z.int().positive().max(64).default(4).describe("feature maps of a 1x1 convolution, in growth rates"),
    stem: z.enum(["imagenet", "small"]).default("imagenet").describe("7x7/2 and pool 3/2, or 5x5/2 and pool 2/2"),
    channels: maps.describe("channels of an image"),
    height: side.describe("pixels"),
    width: side.describe("pixels"),
    classes: z.int().positive().max(most.classes).describe("outputs of the classifier"),
    plates: z
      .int()
      .min(0)
      .max(65_536)
      .default(0)
      .describe("length of the plate one-hot next to the features; 0 for none"),
  })
  .superRefine((architecture, { addIssue }) => {
    for (const key of ["height", "width"] as const) {
      if (lastMaps(architecture[key], architecture) >= 1) continue;
      const message = `${architecture[key]} pixels are too few: the stem and every block but the last halve the maps, until nothing is left`;
      addIssue({ code: "custom", path: [key], message });
    }
  });

/** Height or width of the last feature maps. */
export const lastMaps = (
  pixels: number,
  { stem, blocks }: { stem: keyof typeof stems; blocks: readonly unknown[] },
): number => {
  const { kernel, stride, padding, pool } = stems[stem];
  const after = (size: number, window: typeof pool | { kernel: number; stride: number; padding: number }) =>
    Math.floor((size + 2 * window.padding - window.kernel) / window.stride) + 1;
  return Math.floor(after(after(pixels, { kernel, stride, padding }), pool) / 2 ** (blocks.length - 1));
};
export type Architecture = z.output<typeof architectureSchema>;

export const variants = {
  densenet121: { growth: 32, blocks: [6, 12, 24, 16], init: 64, bottleneck: 4, stem: "imagenet" },
  densenet161: { growth: 48, blocks: [6, 12, 36, 24], init: 96, bottleneck: 4, stem: "imagenet" },
  densenet169: { growth: 32, blocks: [6, 12, 32, 32], init: 64, bottleneck: 4, stem: "imagenet" },
  densenet201: { growth: 32, blocks: [6, 12, 48, 32], init: 64, bottleneck: 4, stem: "imagenet" },
  // Every width is a multiple of 16, the most channels that processors take side by side.
  "densenet-small": { growth: 16, blocks: [4, 5, 6], init: 32, bottleneck: 2, stem: "small" },
} as const satisfies Record<string, Pick<Architecture, "growth" | "blocks" | "init" | "bottleneck" | "stem">>;
export type Variant = keyof typeof variants;

/** Added to a variance before its square root, as in PyTorch. */
export const epsilon = 1e-5;

/** A dense layer of a block: `prefix` as in `features.denseblock1.denselayer2`, and how many feature maps it reads. */
export interface DenseLayer {
  readonly prefix: string;
  readonly inputs: number;
}
export interface DenseBlock {
  readonly layers: readonly DenseLayer[];
  /** Feature maps that leave the block. */
  readonly outputs: number;
  /** `features.transition1`, absent after the last block; it halves the feature maps. */
  readonly transition?: string;
}

/** The blocks of the network in order, with the numbers of feature maps worked out. */
export const denseBlocks = ({ growth, blocks, init }: Architecture): DenseBlock[] => {
  let maps = init;
  return blocks.map((count, b) => {
    const layers = Array.from({ length: count }, (_, l) => ({
      prefix: `features.denseblock${b + 1}.denselayer${l + 1}`,
      inputs: maps + l * growth,
    }));
    const outputs = maps + count * growth;
    maps = outputs >> 1;
    return { layers, outputs, ...(b + 1 < blocks.length ? { transition: `features.transition${b + 1}` } : {}) };
  });
};

/** Length of the feature vector: what the global average pool leaves. */
export const featureCount = (architecture: Architecture): number => denseBlocks(architecture).at(-1)!.outputs;

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** `statistic`: running mean or variance, estimated rather than trained. */
  readonly kind: "convolution" | "scale" | "shift" | "bias" | "linear" | "statistic";
}

/** Every tensor of the network in torchvision's order. */
export const parameters = (architecture: Architecture): Parameter[] => {
  const { growth, init, bottleneck, stem, channels, classes, plates } = architecture;
  const { kernel } = stems[stem];
  const norm = (name: string, maps: number): Parameter[] => [
    { name: `${name}.weight`, shape: [maps], kind: "scale" },
    { name: `${name}.bias`, shape: [maps], kind: "shift" },
    { name: `${name}.running_mean`, shape: [maps], kind: "statistic" },
    { name: `${name}.running_var`, shape: [maps], kind: "statistic" },
  ];
  const conv = (name: string, outputs: number, inputs: number, size: number): Parameter => ({
    name: `${name}.weight`,
    shape: [outputs, inputs, size, size],
    kind: "convolution",
  });
  const wide = bottleneck * growth;
  const features = featureCount(architecture);
  return [
    ...norm("bn", channels),
    conv("features.conv0", init, channels, kernel),
    { name: "features.conv0.bias", shape: [init], kind: "bias" },
    ...norm("features.norm0", init),
    ...denseBlocks(architecture).flatMap(({ layers, outputs, transition }) => [
      ...layers.flatMap(({ prefix, inputs }) => [
        ...norm(`${prefix}.norm1`, inputs),
        conv(`${prefix}.conv1`, wide, inputs, 1),
        ...norm(`${prefix}.norm2`, wide),
        conv(`${prefix}.conv2`, growth, wide, 3),
      ]),
      ...(transition === undefined
        ? []
        : [...norm(`${transition}.norm`, outputs), conv(`${transition}.conv`, outputs >> 1, outputs, 1)]),
    ]),
    ...norm("features.norm5", features),
    { name: "classifier.weight", shape: [classes, features + plates], kind: "linear" },
    { name: "classifier.bias", shape: [classes], kind: "bias" },
  ];
};

/** Weights and statistics of one network, by torchvision's names. */
export type Weights = ReadonlyMap<string, Float32Array>;

export interface Network {
  readonly architecture: Architecture;
  readonly weights: Weights;
}

/** The BatchNorm layers in order of execution, with the number of feature maps they normalise. */
export const normLayers = (architecture: Architecture): NormLayer[] =>
  parameters(architecture)
    .filter(({ name }) => name.endsWith(".running_mean"))
    .map(({ name, shape }) => ({ name: name.slice(0, -".running_mean".length), maps: shape[0]! }));
