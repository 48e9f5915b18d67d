/**
 * The network itself, written once: inference and training both walk this function with operations of their own.
 *
 * Input [N, channels, H, W] -> BatchNorm over the raw channels -> DenseNet (Huang et al. 2017) in torchvision's order
 * -> features [N, F] -> with the plate one-hot appended, where the architecture has one -> logits [N, classes].
 */
import { type Architecture, denseBlocks, stems } from "./architecture.ts";

export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** What a network is made of. `T` is whatever stands for a value: feature maps [N, C, H, W] or rows [N, F]. */
export interface Operations<T> {
  /** Normalises per channel; parameters `<layer>.{weight,bias,running_mean,running_var}`. */
  batchNorm(input: T, layer: string): T;
  /** Parameters `<layer>.weight` and, for `features.conv0` only, `<layer>.bias`. */
  convolution(input: T, layer: string, window: Window): T;
  relu(input: T): T;
  maxPool(input: T, window: Window): T;
  /** 2x2, stride 2. */
  averagePool(input: T): T;
  /** Along the channels. */
  concat(inputs: readonly T[]): T;
  /** Mean over height and width: [N, C, H, W] -> [N, C]. */
  globalAveragePool(input: T): T;
  /** Appends the plate one-hot: [N, F] -> [N, F + plates]. */
  appendPlates(features: T): T;
  /** Parameters `<layer>.{weight,bias}`. */
  linear(input: T, layer: string): T;
}

const pointwise: Window = { kernel: 1, stride: 1, padding: 0 };
const around: Window = { kernel: 3, stride: 1, padding: 1 };

export const densenet = <T>(architecture: Architecture, ops: Operations<T>, input: T): { features: T; logits: T } => {
  const stem = stems[architecture.stem];
  const activated = (maps: T, norm: string) => ops.relu(ops.batchNorm(maps, norm));

  let maps = ops.convolution(ops.batchNorm(input, "bn"), "features.conv0", stem);
  maps = ops.maxPool(activated(maps, "features.norm0"), stem.pool);

  for (const { layers, transition } of denseBlocks(architecture)) {
    const grown = [maps]; // every dense layer reads the block's input and all that was grown before it
    for (const { prefix } of layers) {
      const narrow = ops.convolution(activated(ops.concat(grown), `${prefix}.norm1`), `${prefix}.conv1`, pointwise);
      grown.push(ops.convolution(activated(narrow, `${prefix}.norm2`), `${prefix}.conv2`, around));
    }
    maps = ops.concat(grown);
    if (transition !== undefined) {
      maps = ops.convolution(activated(maps, `${transition}.norm`), `${transition}.conv`, pointwise);
      maps = ops.averagePool(maps);
    }
  }

  const features = ops.globalAveragePool(activated(maps, "features.norm5"));
  const read = architecture.plates > 0 ? ops.appendPlates(features) : features;
  return { features, logits: ops.linear(read, "classifier") };
};
