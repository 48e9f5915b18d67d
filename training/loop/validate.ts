/** Scores a network as production does, and finds out how it is served best. */
import type { Serving } from "../../common/serving.ts";
import { type HeldOutWell, isScored, predictHeldOut, type Validation } from "./held-out-wells.ts";

export interface Score {
  /** Part of the wells called right under the running statistics, those learnt in training. */
  readonly running: number;
  /** The same under statistics calibrated on each domain. */
  readonly calibrated: number;
  readonly wells: number;
  /** Mean of -log of the true class's share of the calibrated probabilities, in nats: falls already when accuracy does not move yet. */
  readonly surprise: number;
}

export const validate = async (validation: Validation, serving: Serving): Promise<Score> => {
  const { network } = await validation.learner.state();
  const running = await predictHeldOut(validation, network);
  const calibrated = await predictHeldOut(validation, serving);
  return {
    running: mean(rightOnes(running, validation)),
    calibrated: mean(rightOnes(calibrated, validation)),
    wells: calibrated.length,
    surprise: mean(surprises(calibrated, validation)),
  };
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Indices of the classes that the held-out wells have. */
const openClasses = ({ classes, samples, controls }: Validation): number[] => {
  const scored = samples.filter((sample) => isScored(sample, { classes, controls }));
  const names = new Set(scored.map(({ treatment }) => treatment));
  return classes.flatMap((name, k) => (names.has(name) ? [k] : []));
};

const surprises = (wells: readonly HeldOutWell[], validation: Validation): number[] => {
  const open = openClasses(validation);
  return wells.map(({ probabilities, truth }) => {
    const all = open.reduce((sum, k) => sum + probabilities[k]!, 0);
    return -Math.log(Math.max(probabilities[validation.classes.indexOf(truth)]!, 1e-9) / Math.max(all, 1e-9));
  });
};

/** Per well 1 where the most probable of the classes that the held-out wells have is the true one, else 0. */
const rightOnes = (wells: readonly HeldOutWell[], validation: Validation): number[] => {
  const { classes } = validation;
  const open = openClasses(validation);
  return wells.map(({ probabilities, truth }) => {
    const best = open.reduce((a, b) => (probabilities[b]! > probabilities[a]! ? b : a), open[0]!);
    return Number(classes[best] === truth);
  });
};

/** A way of serving that is not how the network was trained has to be this many standard errors better. */
const doubt = 2;

/**
 * The way of serving with which most held-out wells are called right. How the network was trained stands unless another
 * is better beyond doubt: paired differences over wells, so that what is hard for all does not count.
 */
export const chooseServing = async (validation: Validation, trained: Serving): Promise<Serving> => {
  const base = rightOnes(await predictHeldOut(validation, trained), validation);
  let best = { serving: trained, lead: 0 };
  for (const serving of alternatives(trained, validation)) {
    const right = rightOnes(await predictHeldOut(validation, serving), validation);
    const lead = standardisedLead(right.map((each, w) => each - base[w]!));
    if (lead > Math.max(best.lead, doubt)) best = { serving, lead };
  }
  return best.serving;
};

const alternatives = (trained: Serving, { samples }: Validation): Serving[] => {
  const blends = [8, 32].map((sourceWeight) => ({ ...trained, sourceWeight }));
  if (trained.domain === "experiment") return blends;
  const plates = new Map<string, number>();
  for (const { site } of samples) {
    const plate = `${site.experiment}\n${site.plate}`;
    plates.set(plate, (plates.get(plate) ?? 0) + 1);
  }
  // What is known of the experiment's statistics is known for plates as small as these.
  return [...blends, { ...trained, minImages: Math.max(...plates.values()) + 1 }];
};

/** Mean over standard error; 0 where all are alike. */
const standardisedLead = (differences: readonly number[]): number => {
  const average = mean(differences);
  const squares = differences.reduce((sum, each) => sum + (each - average) ** 2, 0);
  if (squares === 0) return 0;
  return average / Math.sqrt(squares / (differences.length - 1) / differences.length);
};
