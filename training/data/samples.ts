/** What is learnt from: the labelled sites of one cell type, their classes, and the order in which they come. */

import { PlatestreamError } from "../../common/errors.ts";
import { seededRandom, seededShuffle } from "../../common/random.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import type { Recipe, Stage } from "../loop/recipe.ts";

/** A site whose class is known. */
export interface Sample {
  readonly site: Site;
  readonly treatment: string;
  /** [classes], how probable each is, where that is all that is known; it then counts in place of the treatment. */
  readonly shares?: Float64Array;
  /** Position of its plate in the experiment, for networks with a plate input. */
  readonly plate: number;
}

export const samplesOf = ({ plates, sites }: Experiment): Sample[] =>
  sites.flatMap((site) =>
    site.treatment === undefined ? [] : [{ site, treatment: site.treatment, plate: plates.indexOf(site.plate) }],
  );

export const isControl = ({ site }: Sample): boolean => site.wellType !== "treatment";

const byNumber = new Intl.Collator("en", { numeric: true }).compare;

/** Class names in order: treatments first, then controls. */
export interface Classes {
  readonly treatments: readonly string[];
  readonly controls: readonly string[];
}

export const classesOf = (samples: readonly Sample[]): Classes => {
  const names = (wanted: readonly Sample[]) => [...new Set(wanted.map(({ treatment }) => treatment))].sort(byNumber);
  const controls = names(samples.filter(isControl));
  return { treatments: names(samples.filter((sample) => !isControl(sample))), controls };
};

/** Names of the classes that a stage's network distinguishes, in the order of its logits. */
export const stageClasses = ({ treatments, controls }: Classes, stage: Stage, recipe: Recipe): readonly string[] => {
  if (stage.images === "controls") return controls;
  return recipe.controlsAsClasses ? [...treatments, ...controls] : treatments;
};

/** Wells that a stage learns from or is scored on. */
export const inStage = (sample: Sample, stage: Stage, recipe: Recipe): boolean =>
  stage.images === "controls" ? isControl(sample) : recipe.controlsAsClasses || !isControl(sample);

const domainOf = ({ site }: Sample, { domain }: Pick<Recipe, "domain">): string => {
  if (domain === "plate") return `${site.experiment} plate ${site.plate}`;
  return domain === "experiment" ? site.experiment : "all";
};

/** Samples of one micro-batch and where they come from, for messages. */
export interface MicroBatch {
  readonly domain: string;
  readonly samples: readonly Sample[];
}

/**
 * The micro-batches of one epoch, as a function of seed, stage and epoch alone. They never mix domains. A domain whose
 * images do not fill its last batch completes it with some of its images once more, or leaves the rest out when it is
 * less than half a batch; which ones changes from epoch to epoch.
 */
export const epochBatches = (
  samples: readonly Sample[],
  recipe: Pick<Recipe, "domain" | "microBatch" | "imagesPerEpoch" | "seed">,
  stage: string,
  epoch: number,
): MicroBatch[] => {
  const { microBatch, imagesPerEpoch, seed } = recipe;
  const key = `${seed} ${stage} ${epoch}`;
  const domains = new Map<string, Sample[]>();
  for (const sample of samples) {
    const domain = domainOf(sample, recipe);
    const members = domains.get(domain);
    if (members === undefined) domains.set(domain, [sample]);
    else members.push(sample);
  }
  const batches = [...domains].flatMap(([domain, members]) => {
    const shuffled = seededShuffle(members, `${key} ${domain}`);
    const count = Math.max(1, Math.round(members.length / microBatch));
    return Array.from({ length: count }, (_, b) => ({
      domain,
      samples: Array.from({ length: microBatch }, (_, i) => shuffled[(b * microBatch + i) % shuffled.length]!),
    }));
  });
  const order = seededShuffle(batches, key);
  return imagesPerEpoch === undefined ? order : order.slice(0, Math.max(1, Math.round(imagesPerEpoch / microBatch)));
};

/** The random numbers of one micro-batch: its views and mixing. */
export const batchRandom = (seed: number, stage: string, epoch: number, batch: number): (() => number) =>
  seededRandom(`${seed} ${stage} ${epoch} views ${batch}`);

/** Throws "invalid-data" unless there are classes and samples to learn from. */
export const checkSamples = (samples: readonly Sample[], stage: Stage, cellType: string): void => {
  if (samples.length > 0) return;
  const what = stage.images === "controls" ? "control wells" : "treatment wells";
  throw new PlatestreamError(
    "invalid-data",
    `stage "${stage.name}" learns from labelled ${what}, and ${cellType} has none; ` +
      "check the well types and treatments of the dataset, or leave the stage out of the recipe",
  );
};
