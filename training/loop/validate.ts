/** Scores a network as production does: statistics per plate, mean of the sigmoids over sites, the best class per well. */
import { seededShuffle } from "../../common/random.ts";
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import { plainImages } from "../data/batches.ts";
import type { Pictures } from "../data/pictures.ts";
import { isControl, type Sample } from "../data/samples.ts";
import type { FlatNetwork } from "../learner/flat.ts";
import type { Learner } from "../learner/learner.ts";
import type { Recipe } from "./recipe.ts";

export interface Score {
  /** Part of the wells called right under the running statistics, those learnt in training. */
  readonly running: number;
  /** The same under statistics calibrated on each plate. */
  readonly calibrated: number;
  readonly wells: number;
}

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
}

type Statistics = Pick<FlatNetwork, "means" | "variances">;

const byPlate = (samples: readonly Sample[]): Sample[][] => {
  const plates = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.site.experiment} ${sample.site.plate}`;
    const members = plates.get(key);
    if (members === undefined) plates.set(key, [sample]);
    else members.push(sample);
  }
  return [...plates.values()];
};

/** Full batches; the last is filled up from the front. */
const batchesOf = (samples: readonly Sample[], size: number): Sample[][] =>
  Array.from({ length: Math.ceil(samples.length / size) }, (_, b) =>
    Array.from({ length: size }, (_, i) => samples[(b * size + i) % samples.length]!),
  );

/** Plain mean over the batches of their means and unbiased variances, as the workers do. */
const calibrate = async (plate: readonly Sample[], validation: Validation): Promise<Statistics> => {
  const { learner, pictures, images, recipe } = validation;
  const { site } = plate[0]!;
  const sample = seededShuffle(plate, `${recipe.seed} ${site.experiment} ${site.plate}`);
  const batches = batchesOf(sample.slice(0, Math.max(recipe.calibrationImages, 1)), images);
  const sums: Statistics[] = [];
  for (const batch of batches) sums.push(await learner.measure(await plainImages(batch, pictures, validation)));
  const mean = (key: keyof Statistics) =>
    sums[0]![key].map((_, i) => sums.reduce((sum, each) => sum + each[key][i]!, 0) / sums.length);
  return { means: mean("means"), variances: mean("variances") };
};

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Wells called right, given the mean probabilities of their sites. */
class Wells {
  readonly #wells = new Map<string, { readonly treatment: string; readonly sums: Float64Array }>();
  readonly #classes: readonly string[];
  readonly #open: readonly number[];

  constructor(classes: readonly string[], open: readonly number[]) {
    this.#classes = classes;
    this.#open = open;
  }

  add({ site, treatment }: Sample, logits: Float32Array): void {
    const key = `${site.experiment} ${site.plate} ${site.well}`;
    const well = this.#wells.get(key) ?? { treatment, sums: new Float64Array(logits.length) };
    this.#wells.set(key, well);
    for (let k = 0; k < logits.length; k++) well.sums[k]! += sigmoid(logits[k]!);
  }

  get size(): number {
    return this.#wells.size;
  }

  get accuracy(): number {
    let right = 0;
    for (const { treatment, sums } of this.#wells.values()) {
      const best = this.#open.reduce((a, b) => (sums[b]! > sums[a]! ? b : a), this.#open[0]!);
      if (this.#classes[best] === treatment) right += 1;
    }
    return right / this.#wells.size;
  }
}

export const validate = async (validation: Validation): Promise<Score> => {
  const { learner, pictures, samples, classes, controls, images } = validation;
  const scored = samples.filter((sample) => isControl(sample) === controls && classes.includes(sample.treatment));
  const names = new Set(scored.map(({ treatment }) => treatment));
  const open = classes.flatMap((name, k) => (names.has(name) ? [k] : []));
  const [running, calibrated] = [new Wells(classes, open), new Wells(classes, open)];
  const { network } = await learner.state();
  for (const plate of byPlate(samples)) {
    const wanted = plate.filter((sample) => scored.includes(sample));
    if (wanted.length === 0) continue;
    const own = await calibrate(plate, validation);
    for (const [b, batch] of batchesOf(wanted, images).entries()) {
      const inputs = await plainImages(batch, pictures, validation);
      for (const [wells, statistics] of [
        [running, network],
        [calibrated, own],
      ] as const) {
        const { logits } = await learner.predict(inputs, statistics);
        const fresh = Math.min(images, wanted.length - b * images);
        for (let i = 0; i < fresh; i++)
          wells.add(batch[i]!, logits.subarray(i * classes.length, (i + 1) * classes.length));
      }
    }
  }
  return { running: running.accuracy, calibrated: calibrated.accuracy, wells: running.size };
};
