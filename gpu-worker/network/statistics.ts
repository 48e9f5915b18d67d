/**
 * BatchNorm statistics of one domain, estimated from a sample of its images.
 *
 * Every batch is normalised with its own statistics; means and unbiased variances are then averaged over the batches
 * with equal weight, as PyTorch does with `momentum=None`. So a short last batch counts as much as a full one: send
 * batches of equal size where it matters. A batch may be a single image.
 */
import { createHash } from "node:crypto";
import { PlatestreamError } from "../../common/errors.ts";
import { readSafetensors, writeSafetensors } from "../../common/safetensors.ts";
import { type Architecture, normLayers, type Weights } from "./architecture.ts";

/** Sums up batches. `outputs` of `add` are those of the network in `estimate` mode, by name. */
export interface StatisticsEstimate {
  add(outputs: Readonly<Record<string, Float32Array>>, images: number): void;
  /** Statistics that were finished elsewhere, of one batch. */
  addEstimate(statistics: Weights, images: number): void;
  /** How many images were added. */
  readonly images: number;
  /**
   * The mean over the batches: `<layer>.running_mean` and `<layer>.running_var`.
   *
   * `sourceWeight` N blends in the training statistics as if they rested on N images, n being the images of the
   * domain: N/(N+n) training + n/(N+n) domain (Schneider et al. 2020, arXiv 2006.16971).
   */
  finish(trained: Weights, sourceWeight: number): Weights;
}

export const estimateStatistics = (architecture: Architecture): StatisticsEstimate => {
  const layers = normLayers(architecture);
  const sums = new Map<string, Float64Array>();
  for (const { name, maps } of layers) {
    sums.set(`${name}.mean`, new Float64Array(maps));
    sums.set(`${name}.var`, new Float64Array(maps));
  }
  let batches = 0;
  let images = 0;
  return {
    add(outputs, count) {
      for (const [name, sum] of sums) {
        const values = outputs[name]!;
        for (let channel = 0; channel < sum.length; channel++) sum[channel]! += values[channel]!;
      }
      batches += 1;
      images += count;
    },
    addEstimate(statistics, count) {
      if (!(count > 0)) {
        throw new PlatestreamError("invalid-request", `an estimate rests on at least one image, not on ${count}`);
      }
      const outputs = [...statistics].map(([name, values]) => [name.replace(/running_(mean|var)$/, "$1"), values]);
      this.add(Object.fromEntries(outputs), count);
    },
    get images() {
      return images;
    },
    finish(trained, sourceWeight) {
      if (batches === 0) {
        throw new PlatestreamError("invalid-request", "statistics rest on at least one image; none was sent");
      }
      const share = images / (images + sourceWeight);
      const blend = (sum: Float64Array, source: Float32Array): Float32Array =>
        Float32Array.from(sum, (total, channel) => share * (total / batches) + (1 - share) * source[channel]!);
      const statistics = new Map<string, Float32Array>();
      for (const { name } of layers) {
        const pairs = [
          ["mean", "running_mean"],
          ["var", "running_var"],
        ] as const;
        for (const [given, stored] of pairs) {
          const key = `${name}.${stored}`;
          statistics.set(key, blend(sums.get(`${name}.${given}`)!, trained.get(key)!));
        }
      }
      return statistics;
    },
  };
};

/** Statistics as safetensors, and their content address: the first 16 hex digits of the SHA-256 of those bytes. */
export const encodeStatistics = (statistics: Weights): { id: string; data: Uint8Array } => {
  const tensors = [...statistics].map(([name, data]) => [name, { shape: [data.length], data }] as const);
  const data = writeSafetensors(new Map(tensors));
  return { id: statisticsId(data), data };
};

export const statisticsId = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex").slice(0, 16);

/** Reads statistics and checks that they are those of this architecture: every layer, finite, no negative variance. */
export const decodeStatistics = (data: Uint8Array, architecture: Architecture): Weights => {
  const stored = readSafetensors(data, "the statistics");
  const statistics = new Map<string, Float32Array>();
  const invalid = (why: string) =>
    new PlatestreamError("invalid-request", `the statistics do not fit the network: ${why}; calibrate with this model`);
  for (const { name, maps } of normLayers(architecture)) {
    for (const key of [`${name}.running_mean`, `${name}.running_var`]) {
      const values = stored.get(key)?.data;
      if (!(values instanceof Float32Array)) throw invalid(`they lack ${key}`);
      if (values.length !== maps) throw invalid(`${key} has ${values.length} values, the layer has ${maps} maps`);
      const least = key.endsWith("var") ? 0 : -Infinity;
      const wrong = values.findIndex((value) => !(Number.isFinite(value) && value >= least));
      if (wrong >= 0) throw invalid(`${key} is ${values[wrong]} at ${wrong}`);
      statistics.set(key, values);
    }
  }
  return statistics;
};
