/** What happens between two stages: which network goes on, how it is served, and with which last layer. */
import { isDeepStrictEqual } from "node:util";
import type { Weights } from "../../gpu-worker/network/architecture.ts";
import { plainImages } from "../data/batches.ts";
import type { Sample } from "../data/samples.ts";
import { cosineScaleOf } from "../gradients/losses.ts";
import { flatten, unflatten } from "../learner/flat.ts";
import { openRemoteLearner } from "../learner/remote-learner.ts";
import { beginningOf, type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { computedClassifier, withClassifier } from "./computed-classifier.ts";
import { canValidate, trainedServing, type Validation } from "./held-out-wells.ts";
import { architectureOf, freshState, haveSameClasses, learnerOptions, type NetworkTask } from "./network-task.ts";
import { chooseServing } from "./validate.ts";
import { linearHead, withNewHead } from "./weights.ts";

export interface StageEnd {
  /** What the next stage starts with; after the last one, what is served. */
  readonly next: Checkpoint;
  /** The network of this stage with the last layer that workers compute. */
  readonly served: Weights;
}

/** The stage's best network goes on where it was scored, else its last. */
export const endStage = async (
  task: NetworkTask,
  { state, progress }: Checkpoint,
  validation: Validation,
  samples: readonly Sample[],
  bestPath: string,
): Promise<StageEnd> => {
  const { recipe } = task;
  const [stage, next] = [recipe.stages[progress.stage]!, recipe.stages[progress.stage + 1]];
  const kept = progress.best >= 0 ? ((await readCheckpoint(bestPath)) ?? { state }).state : state;
  const network = kept.average.length > 0 ? { ...kept.network, weights: kept.average } : kept.network;
  const architecture = architectureOf(task, stage);
  const weights = unflatten(architecture, network);

  const options = { ...learnerOptions(task, stage), averaging: 0 };
  const learner = await openRemoteLearner(task.provider, options, network);
  const judged = { ...validation, learner };
  try {
    const trained = trainedServing(recipe);
    const classifier = await computedClassifier(judged, samples, trained);
    const serving =
      stage.images === "training" && canValidate(validation)
        ? await chooseServing({ ...judged, classifier }, trained)
        : (progress.serving ?? trained);
    const own = isDeepStrictEqual(serving, trained) ? classifier : await computedClassifier(judged, samples, serving);
    const served = own === undefined ? await linearWeights(weights, judged, samples) : withClassifier(weights, own);
    const place = { ...beginningOf(progress.stage + 1, progress.identity), serving };
    if (next === undefined) {
      const final = flatten(architecture, served, "the trained network");
      return { served, next: { state: { ...state, network: final }, progress: place } };
    }
    const carried = haveSameClasses(stage, next)
      ? weights
      : withNewHead(weights, architectureOf(task, next), recipe, recipe.seed + place.stage);
    return { served, next: { state: freshState(task, next, carried), progress: place } };
  } finally {
    await learner.close();
  }
};

/** Workers compute a linear layer, whatever the loss compares. */
const linearWeights = async (weights: Weights, judged: Validation, samples: readonly Sample[]): Promise<Weights> => {
  const { recipe, architecture } = judged;
  const scale = cosineScaleOf(recipe.loss);
  if (scale === undefined) return weights;
  return linearHead(weights, architecture, scale, await featureLength(judged, samples));
};

/** Mean length of the features of some training images, under their own statistics. */
const featureLength = async (judged: Validation, samples: readonly Sample[]): Promise<number> => {
  const { learner, pictures, images: count } = judged;
  const chosen = Array.from({ length: count }, (_, i) => samples[i % samples.length]!);
  const images = await plainImages(chosen, pictures, judged);
  const { features } = await learner.predict(images, await learner.measure(images));
  const width = features.length / count;
  const lengths = chosen.map((_, i) => Math.hypot(...features.subarray(i * width, (i + 1) * width)));
  return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
};
