/** What a network says of held-out wells, as production asks it: statistics per domain, mean over sites. */
import { sigmoid, softmax } from "../../common/quantities.ts";
import { seededShuffle } from "../../common/random.ts";
import { domainFor, type Serving } from "../../common/serving.ts";
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import { allViews, viewOf } from "../../screen/views.ts";
import { plainImages } from "../data/batches.ts";
import type { Pictures } from "../data/pictures.ts";
import { isControl, type Sample } from "../data/samples.ts";
import type { FlatNetwork } from "../learner/flat.ts";
import type { Learner } from "../learner/learner.ts";
import { type LinearClassifier, logitsOf } from "./discriminant.ts";
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
  /** Computes the logits in the place of the network's own last layer. */
  readonly classifier?: LinearClassifier | undefined;
  /** Which samples are predicted; absent: those that can be scored. */
  readonly scores?: (sample: Sample) => boolean;
}

export interface HeldOutWell {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly truth: string;
  /** [classes] */
  readonly probabilities: Float32Array;
}

export type NetworkStatistics = Pick<FlatNetwork, "means" | "variances">;

/** How a recipe's networks are served before anything is known of them but how they were trained. */
export const trainedServing = ({
  domain,
  microBatch,
  calibrationImages,
  normalize,
  allViews,
  loss,
  classifier,
}: Recipe): Serving => ({
  domain: domain === "plate" ? "plate" : "experiment",
  minImages: 0,
  batch: microBatch,
  calibrationImages,
  sourceWeight: 0,
  normalize,
  sites: loss.kind === "bce" && classifier.kind === "learnt" ? "sigmoids" : "logits",
  allViews,
});

/** What the network says of one site. */
export interface HeldOutSite {
  readonly sample: Sample;
  /** [classes] */
  readonly logits: Float32Array;
  /** [features] */
  readonly features: Float32Array;
}

/**
 * Site by site, by calibrated statistics or by the given ones; a site that is served in all its views comes once for each.
 * Sites that cannot be read are not among them.
 */
export async function* predictSites(
  validation: Validation,
  how: Serving | NetworkStatistics,
): AsyncGenerator<HeldOutSite> {
  const { learner, pictures, classes, images, samples, classifier } = validation;
  const { scores = (sample: Sample) => isScored(sample, validation) } = validation;
  const { channels, height, width } = validation.architecture;
  const views = allViews(height, width).slice(0, "domain" in how && how.allViews ? undefined : 1);
  const { network } = "domain" in how ? await learner.state() : { network: how };
  for (const domain of "domain" in how ? domainsOf(samples, how) : [samples]) {
    const wanted = domain.filter(scores);
    if (wanted.length === 0) continue;
    const statistics = "domain" in how ? await calibrate(domain, network, how, validation) : how;
    for (const [b, batch] of batchesOf(wanted, images).entries()) {
      const fresh = Math.min(images, wanted.length - b * images);
      const inputs = await plainImages(batch, pictures, validation);
      for (const view of views) {
        const pixels = viewOf(inputs.pixels, view, [images, channels, height, width]);
        const { logits, features } = await learner.predict({ ...inputs, pixels }, statistics);
        const length = features.length / images;
        for (const [i, sample] of batch.slice(0, fresh).entries()) {
          if (inputs.samples[i] !== sample) continue; // it cannot be read, and another one took its place
          const own = features.slice(i * length, (i + 1) * length);
          const learnt = logits.slice(i * classes.length, (i + 1) * classes.length);
          yield { sample, features: own, logits: classifier === undefined ? learnt : logitsOf(classifier, own) };
        }
      }
    }
  }
}

/** Well by well: the means over its sites and views. */
export const predictHeldOut = async (
  validation: Validation,
  how: Serving | NetworkStatistics,
): Promise<HeldOutWell[]> => {
  const count = validation.classes.length;
  const wells = new Map<string, { readonly sample: Sample; readonly sums: Float64Array; count: number }>();
  const { sites } = "domain" in how ? how : trainedServing(validation.recipe);
  for await (const { sample, logits } of predictSites(validation, how)) {
    const { experiment, plate, well } = sample.site;
    const key = `${experiment}\n${plate}\n${well}`;
    const entry = wells.get(key) ?? { sample, sums: new Float64Array(count), count: 0 };
    wells.set(key, entry);
    for (const [k, logit] of logits.entries()) entry.sums[k]! += sites === "logits" ? logit : sigmoid(logit);
    entry.count += 1;
  }
  return [...wells.values()].map(({ sample: { site, treatment }, sums, count }) => ({
    experiment: site.experiment,
    plate: site.plate,
    well: site.well,
    truth: treatment,
    probabilities: probabilitiesOf(
      sums.map((sum) => sum / count),
      sites,
    ),
  }));
};

const probabilitiesOf = (means: Float64Array, sites: Serving["sites"]): Float32Array =>
  sites === "logits" ? softmax(Float32Array.from(means)) : Float32Array.from(means);

export const isScored = (sample: Sample, { controls, classes }: Pick<Validation, "controls" | "classes">): boolean =>
  isControl(sample) === controls && classes.includes(sample.treatment);

export const canValidate = (validation: Validation): boolean =>
  validation.samples.some((sample) => isScored(sample, validation));

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
