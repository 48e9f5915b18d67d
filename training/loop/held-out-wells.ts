/** What a network says of held-out wells, as production asks it: statistics per domain, mean of the sigmoids over sites. */
import { sigmoid } from "../../common/quantities.ts";
import { seededShuffle } from "../../common/random.ts";
import { domainFor, type Serving } from "../../common/serving.ts";
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import { plainImages } from "../data/batches.ts";
import type { Pictures } from "../data/pictures.ts";
import { isControl, type Sample } from "../data/samples.ts";
import type { FlatNetwork } from "../learner/flat.ts";
import type { Learner } from "../learner/learner.ts";
import type { Recipe } from "./recipe.ts";

export interface Validation {
  readonly learner: Learner;
  readonly pictures: Pictures;
  readonly architecture: Architecture;
  readonly recipe: Recipe;
  /** Every labelled site of the experiments to score on: controls help to calibrate. */
  readonly samples: readonly Sample[];
  /** Names of the classes in the order of the logits. */
  readonly classes: readonly string[];
  /** Whether the wells to score are the controls; else the treatments. */
  readonly controls: boolean;
  /** Images of a batch. */
  readonly images: number;
  /** Which samples are predicted; absent: those that can be scored. */
  readonly scores?: (sample: Sample) => boolean;
}

export interface HeldOutWell {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly truth: string;
  /** [classes], mean of the sigmoids. */
  readonly probabilities: Float32Array;
}

export type NetworkStatistics = Pick<FlatNetwork, "means" | "variances">;

/** How a recipe's networks are served before anything is known of them but how they were trained. */
export const trainedServing = ({ domain, microBatch, calibrationImages, normalize }: Recipe): Serving => ({
  domain: domain === "plate" ? "plate" : "experiment",
  minImages: 0,
  batch: microBatch,
  calibrationImages,
  sourceWeight: 0,
  normalize,
});

/** By calibrated statistics, or by the given ones. */
export const predictHeldOut = async (
  validation: Validation,
  how: Serving | NetworkStatistics,
): Promise<HeldOutWell[]> => {
  const { learner, pictures, classes, images, samples } = validation;
  const { scores = (sample: Sample) => isScored(sample, validation) } = validation;
  const wells = new Map<string, { readonly sample: Sample; readonly sums: Float64Array; count: number }>();
  const { network } = "domain" in how ? await learner.state() : { network: how };
  for (const domain of "domain" in how ? domainsOf(samples, how) : [samples]) {
    const wanted = domain.filter(scores);
    if (wanted.length === 0) continue;
    const statistics = "domain" in how ? await calibrate(domain, network, how, validation) : how;
    for (const [b, batch] of batchesOf(wanted, images).entries()) {
      const inputs = await plainImages(batch, pictures, validation);
      const { logits } = await learner.predict(inputs, statistics);
      const fresh = Math.min(images, wanted.length - b * images);
      for (const [i, sample] of batch.slice(0, fresh).entries()) {
        if (inputs.samples[i] !== sample) continue; // it cannot be read, and another one took its place
        const { experiment, plate, well } = sample.site;
        const key = `${experiment}\n${plate}\n${well}`;
        const entry = wells.get(key) ?? { sample, sums: new Float64Array(classes.length), count: 0 };
        wells.set(key, entry);
        for (const k of classes.keys()) entry.sums[k]! += sigmoid(logits[i * classes.length + k]!);
        entry.count += 1;
      }
    }
  }
  return [...wells.values()].map(({ sample: { site, treatment }, sums, count }) => ({
    experiment: site.experiment,
    plate: site.plate,
    well: site.well,
    truth: treatment,
    probabilities: Float32Array.from(sums, (sum) => sum / count),
  }));
};

export const isScored = (sample: Sample, { controls, classes }: Pick<Validation, "controls" | "classes">): boolean =>
  isControl(sample) === controls && classes.includes(sample.treatment);

const groupBy = (samples: readonly Sample[], keyOf: (sample: Sample) => string): Sample[][] => {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = keyOf(sample);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [sample]);
    else members.push(sample);
  }
  return [...groups.values()];
};

const domainsOf = (samples: readonly Sample[], serving: Serving): Sample[][] =>
  groupBy(samples, ({ site }) => site.experiment).flatMap((experiment) => {
    const plates = groupBy(experiment, ({ site }) => site.plate);
    const sizes = plates.map(({ length }) => length);
    return domainFor(serving, sizes) === "plate" ? plates : [experiment];
  });

/** Full batches; the last is filled up from the front. */
const batchesOf = (samples: readonly Sample[], size: number): Sample[][] =>
  Array.from({ length: Math.ceil(samples.length / size) }, (_, b) =>
    Array.from({ length: size }, (_, i) => samples[(b * size + i) % samples.length]!),
  );

/** Plain mean over the batches of their means and unbiased variances, as the workers do; then blended with the trained ones. */
const calibrate = async (
  domain: readonly Sample[],
  trained: NetworkStatistics,
  { calibrationImages, sourceWeight }: Serving,
  validation: Validation,
): Promise<NetworkStatistics> => {
  const { learner, pictures, images, recipe } = validation;
  const { site } = domain[0]!;
  const sample = seededShuffle(domain, `${recipe.seed} ${site.experiment} ${site.plate}`).slice(0, calibrationImages);
  const sums: NetworkStatistics[] = [];
  for (const batch of batchesOf(sample, images)) {
    sums.push(await learner.measure(await plainImages(batch, pictures, validation)));
  }
  const share = sample.length / (sample.length + sourceWeight);
  const blend = (key: keyof NetworkStatistics) =>
    trained[key].map(
      (source, i) => (share * sums.reduce((sum, each) => sum + each[key][i]!, 0)) / sums.length + (1 - share) * source,
    );
  return { means: blend("means"), variances: blend("variances") };
};
