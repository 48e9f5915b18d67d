/**
 * BatchNorm statistics of one domain, estimated from a sample of its images.
 *
 * Every batch is normalised with its own statistics; means and unbiased variances are then averaged over the batches
 * with equal weight, as PyTorch does with `momentum=None`. So a short last batch counts as much as a full one: send
 * batches of equal size where it matters. A batch may be a single image.
 */
import { createHash } from "node:crypto";
import { PlatestreamError } from "./errors.ts";
import { readSafetensors, safetensorsMetadata, writeSafetensors } from "./safetensors.ts";

/** A BatchNorm layer: its name in torchvision's terms, and how many feature maps it normalises. */
export interface NormLayer {
  readonly name: string;
  readonly maps: number;
}

/** Tensors by torchvision's names. */
type Tensors = ReadonlyMap<string, Float32Array>;

/** Means and variances of all BatchNorm layers, one layer after the other in the order of their execution. */
export interface PackedStatistics {
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** How many values each of the two holds. */
export const statisticsCount = (layers: readonly NormLayer[]): number =>
  layers.reduce((sum, { maps }) => sum + maps, 0);

/** Packs `<layer>.running_mean` and `<layer>.running_var`. */
export const packStatistics = (layers: readonly NormLayer[], statistics: Tensors): PackedStatistics => {
  const pack = (what: string): Float32Array => {
    const packed = new Float32Array(statisticsCount(layers));
    let first = 0;
    for (const { name, maps } of layers) {
      packed.set(statistics.get(`${name}.${what}`)!, first);
      first += maps;
    }
    return packed;
  };
  return { mean: pack("running_mean"), variance: pack("running_var") };
};

export const unpackStatistics = (layers: readonly NormLayer[], { mean, variance }: PackedStatistics): Tensors => {
  const statistics = new Map<string, Float32Array>();
  let first = 0;
  for (const { name, maps } of layers) {
    statistics.set(`${name}.running_mean`, mean.subarray(first, first + maps));
    statistics.set(`${name}.running_var`, variance.subarray(first, first + maps));
    first += maps;
  }
  return statistics;
};

/** Sums up batches. */
export interface StatisticsEstimate {
  /** What the network returned for one batch in mode `calibration`. */
  add(batch: PackedStatistics, images: number): void;
  /** Statistics that were finished elsewhere, of one batch. */
  addEstimate(statistics: Tensors, images: number): void;
  /** How many images were added. */
  readonly images: number;
  /**
   * The mean over the batches: `<layer>.running_mean` and `<layer>.running_var`.
   *
   * `sourceWeight` N blends in the training statistics as if they rested on N images, n being the images of the
   * domain: N/(N+n) training + n/(N+n) domain (Schneider et al. 2020, arXiv 2006.16971).
   */
  finish(trained: Tensors, sourceWeight: number): Tensors;
}

export const estimateStatistics = (layers: readonly NormLayer[]): StatisticsEstimate => {
  const count = statisticsCount(layers);
  const sums = { mean: new Float64Array(count), variance: new Float64Array(count) };
  let batches = 0;
  let images = 0;
  return {
    add(batch, added) {
      for (const what of ["mean", "variance"] as const) {
        for (let index = 0; index < count; index++) sums[what][index]! += batch[what][index]!;
      }
      batches += 1;
      images += added;
    },
    addEstimate(statistics, added) {
      if (!(added > 0)) {
        throw new PlatestreamError("invalid-request", `an estimate rests on at least one image, not on ${added}`);
      }
      this.add(packStatistics(layers, statistics), added);
    },
    get images() {
      return images;
    },
    finish(trained, sourceWeight) {
      if (batches === 0) {
        throw new PlatestreamError("invalid-request", "statistics rest on at least one image; none was sent");
      }
      const share = images / (images + sourceWeight);
      const source = packStatistics(layers, trained);
      const blend = (what: "mean" | "variance"): Float32Array =>
        Float32Array.from(sums[what], (total, index) => share * (total / batches) + (1 - share) * source[what][index]!);
      return unpackStatistics(layers, { mean: blend("mean"), variance: blend("variance") });
    },
  };
};

/** Whose statistics they are: those of one network mean nothing to another. */
export interface StatisticsOwner {
  /** Of the bundle. */
  readonly version: string;
  readonly cellType: string;
}

/** Statistics as safetensors, and their content address: the first 16 hex digits of the SHA-256 of those bytes. */
export const encodeStatistics = (statistics: Tensors, owner?: StatisticsOwner): { id: string; data: Uint8Array } => {
  const tensors = [...statistics].map(([name, data]) => [name, { shape: [data.length], data }] as const);
  const metadata = owner === undefined ? {} : { version: owner.version, cell_type: owner.cellType };
  const data = writeSafetensors(new Map(tensors), metadata);
  return { id: statisticsId(data), data };
};

export const statisticsId = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex").slice(0, 16);

const invalidStatistics = (why: string) =>
  new PlatestreamError("invalid-request", `the statistics do not fit the network: ${why}; calibrate with this model`);

/** What is wrong with the means or variances of one layer. */
const layerProblem = (key: string, values: unknown, maps: number): string | undefined => {
  if (!(values instanceof Float32Array)) return `they lack ${key}`;
  if (values.length !== maps) return `${key} has ${values.length} values, the layer has ${maps} maps`;
  const variances = key.endsWith("var");
  const wrong = values.findIndex((value) => !(Number.isFinite(value) && value >= (variances ? 0 : -Infinity)));
  if (wrong >= 0) return `${key} is ${values[wrong]} at ${wrong}`;
  if (variances && values.every((value) => value === 0)) {
    return `${key} is zero for all maps: no image differs from another, nor one pixel from the next`;
  }
  return undefined;
};

/**
 * Reads statistics and checks that they are those of these layers, and of `owner` where they name theirs: every layer,
 * finite, no negative variance, no layer without any.
 */
export const decodeStatistics = (data: Uint8Array, layers: readonly NormLayer[], owner?: StatisticsOwner): Tensors => {
  const read = <T>(reader: (bytes: Uint8Array, source: string) => T): T => {
    try {
      return reader(data, "the statistics");
    } catch (thrown) {
      throw new PlatestreamError("invalid-request", PlatestreamError.from(thrown).rawMessage, { cause: thrown });
    }
  };
  const stored = read(readSafetensors);
  const { version = owner?.version, cell_type: cellType = owner?.cellType } = read(safetensorsMetadata);
  if (owner !== undefined && (version !== owner.version || cellType !== owner.cellType)) {
    throw invalidStatistics(
      `they belong to cell type ${cellType} of version ${version}, not to ${owner.cellType} of ${owner.version}`,
    );
  }
  const statistics = new Map<string, Float32Array>();
  for (const { name, maps } of layers) {
    for (const key of [`${name}.running_mean`, `${name}.running_var`]) {
      const tensor = stored.get(key);
      const problem = layerProblem(key, tensor?.data, maps);
      if (problem !== undefined) throw invalidStatistics(problem);
      if (String(tensor?.shape) !== String(maps))
        throw invalidStatistics(`${key} has shape [${tensor?.shape}], not [${maps}]`);
      statistics.set(key, tensor?.data as Float32Array);
    }
  }
  const unknown = [...stored.keys()].find((key) => !statistics.has(key));
  if (unknown !== undefined) throw invalidStatistics(`${unknown} is not part of them`);
  return statistics;
};
