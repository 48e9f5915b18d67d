/** What is trained, and what its stages need: classes, images, the learner's options. */
import type { Architecture, Weights } from "../../gpu-worker/network/architecture.ts";
import { cropOf } from "../data/batches.ts";
import { type Classes, epochBatches, inStage, type Sample, stageClasses } from "../data/samples.ts";
import { adamDefaults, adamState } from "../learner/adam.ts";
import { flatIndex, flatten } from "../learner/flat.ts";
import type { LearnerOptions, LearnerState } from "../learner/learner.ts";
import { freshLossScale } from "../learner/loss-scale.ts";
import type { TrainingProvider } from "../learner/open-training.ts";
import type { Recipe, Stage } from "./recipe.ts";

export interface NetworkTask {
  readonly cellType: string;
  readonly recipe: Recipe;
  /** Channels, size and plates of the images; its number of classes is not read. */
  readonly architecture: Architecture;
  readonly classes: Classes;
  readonly training: readonly Sample[];
  /** Of the held-out experiments; may be empty. */
  readonly validation: readonly Sample[];
  /** Folder of checkpoints, metrics and curves. */
  readonly folder: string;
  readonly provider: TrainingProvider;
  readonly threads: number;
  readonly cacheBytes: number;
  /** Minutes between checkpoints within an epoch. */
  readonly checkpointMinutes: number;
  /** When aborted, the run writes a checkpoint after the current step and throws "cancelled". */
  readonly stop: AbortSignal;
  onStep(step: StepStatus): void;
  onEpoch(line: string): void;
}

export interface StepStatus {
  readonly cellType: string;
  readonly stage: string;
  readonly epoch: number;
  readonly epochs: number;
  readonly batch: number;
  readonly batches: number;
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** In all stages together, without validation. */
  readonly secondsLeft: number;
}

export const architectureOf = ({ architecture, classes, recipe }: NetworkTask, stage: Stage): Architecture => ({
  ...architecture,
  classes: stageClasses(classes, stage, recipe).length,
});

export const learnerOptions = (task: NetworkTask, stage: Stage): LearnerOptions => {
  const { recipe, threads } = task;
  const architecture = architectureOf(task, stage);
  return {
    architecture,
    images: recipe.microBatch,
    precision: recipe.precision,
    loss: recipe.loss,
    learns: stage.learns,
    crop: cropOf(recipe, architecture),
    evaluationImages: recipe.microBatch,
    optimiser: {
      ...adamDefaults,
      amsgrad: stage.amsgrad,
      weightDecay: stage.weightDecay,
      rectified: stage.rectified,
    },
    averaging: stage.average,
    divisor: recipe.gradients === "mean" ? recipe.accumulate : 1,
    threads,
  };
};

export const haveSameClasses = (one: Stage, other: Stage): boolean =>
  (one.images === "controls") === (other.images === "controls");

export const samplesOfStage = ({ training, validation, recipe }: NetworkTask, stage: Stage): Sample[] =>
  (stage.images === "all" ? [...training, ...validation] : training).filter((sample) => inStage(sample, stage, recipe));

/** Before the first step of a stage. */
export const freshState = (task: NetworkTask, stage: Stage, weights: Weights): LearnerState => {
  const architecture = architectureOf(task, stage);
  const learning = flatIndex(architecture).slots.filter(
    ({ name }) => stage.learns === "network" || name.startsWith("classifier."),
  );
  const length = learning.reduce((sum, slot) => sum + slot.length, 0);
  const network = flatten(architecture, weights, "the network before the stage");
  return {
    network,
    average: stage.average === 0 ? new Float32Array() : network.weights.slice(),
    adam: adamState(length, stage),
    lossScale: freshLossScale(task.recipe.precision),
  };
};

/** Images still to be read in all stages, given the epoch of the current one and the images read in it. */
export const imagesOfStages = (task: NetworkTask, current: number) => {
  const { recipe } = task;
  const perEpoch = (stage: Stage) =>
    recipe.microBatch * epochBatches(samplesOfStage(task, stage), recipe, stage.name, 0).length;
  const later = recipe.stages.slice(current + 1).reduce((sum, stage) => sum + stage.epochs * perEpoch(stage), 0);
  const stage = recipe.stages[current]!;
  const own = perEpoch(stage);
  return (epoch: number, read: number): number => later + (stage.epochs - epoch) * own - read;
};
