/**
 * Fine-tunes a network on experiments whose treatments are not labelled: from their controls, and from its own calls of
 * their wells, the clearest first and in the end all (the first place of the RxRx1 competition).
 */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { seededShuffle } from "../../common/random.ts";
import type { Serving } from "../../common/serving.ts";
import type { Architecture, Weights } from "../../gpu-worker/network/architecture.ts";
import { trainingBatch } from "../data/batches.ts";
import { openPictures, type Pictures } from "../data/pictures.ts";
import { epochBatches, type Sample } from "../data/samples.ts";
import { adamDefaults, adamState } from "../learner/adam.ts";
import { flatIndex, flatten, unflatten } from "../learner/flat.ts";
import type { Learner, LearnerOptions, LearnerState } from "../learner/learner.ts";
import { freshLossScale } from "../learner/loss-scale.ts";
import type { TrainingProvider } from "../learner/open-training.ts";
import { openRemoteLearner } from "../learner/remote-learner.ts";
import { beginningOf, type Progress, readCheckpoint, writeCheckpoint } from "../loop/checkpoint.ts";
import { predictHeldOut } from "../loop/held-out-wells.ts";
import type { Recipe } from "../loop/recipe.ts";
import type { AdaptRecipe, AdaptStage } from "./adapt-recipe.ts";
import { type KnownDesign, type PseudoLabel, pseudoLabels } from "./pseudo-labels.ts";
import type { UnlabelledExperiment } from "./unlabelled.ts";

export interface AdaptTask {
  readonly cellType: string;
  readonly weights: Weights;
  readonly architecture: Architecture;
  readonly design: KnownDesign;
  readonly serving: Serving;
  /** How the network was trained: its loss, views and batches. */
  readonly training: Recipe;
  readonly recipe: AdaptRecipe;
  readonly experiments: readonly UnlabelledExperiment[];
  /** Labelled sites of the original training data; may be empty. */
  readonly original: readonly Sample[];
  /** Folder of the checkpoint. */
  readonly folder: string;
  readonly provider: TrainingProvider;
  readonly threads: number;
  readonly cacheBytes: number;
  readonly stop: AbortSignal;
  onRound(round: AdaptRound): void;
}

export interface AdaptRound {
  readonly cellType: string;
  readonly stage: string;
  /** From 0, over all stages. */
  readonly round: number;
  readonly rounds: number;
  /** Treatment wells that were learnt from. */
  readonly taken: number;
  readonly wells: number;
  /** Share of the calls that are others after it than before it. */
  readonly changed: number;
  readonly loss: number;
  readonly seconds: number;
}

export interface Adapted {
  readonly weights: Weights;
  readonly rounds: readonly AdaptRound[];
  /** Share of the calls that are others than before it began. */
  readonly changed: number;
  /** Why it ended. */
  readonly ended: "all rounds are done" | "the calls no longer change";
}

interface Place extends Progress {
  readonly history: readonly AdaptRound[];
  readonly first: readonly string[];
  readonly last: readonly string[];
}

export const checkpointIn = (folder: string): string => join(folder, "last.safetensors");

export const adaptNetwork = async (task: AdaptTask): Promise<Adapted> => {
  const { folder, recipe, stop } = task;
  await mkdir(folder, { recursive: true });
  const path = checkpointIn(folder);
  const identity = identityOf(task);
  const found = await readCheckpoint(path);
  if (found !== undefined && found.progress.identity !== identity) {
    throw new PlatestreamError(
      "invalid-config",
      `${folder} holds an adaptation with another recipe, bundle or experiments; give another --out, or delete the folder`,
    );
  }
  const state = found === undefined ? freshState(task) : found.state;
  let place: Place =
    found === undefined ? { ...beginningOf(0, identity), history: [], first: [], last: [] } : (found.progress as Place);
  const pictures = openPictures({
    cacheBytes: task.cacheBytes,
    reading: { range: task.training.range, illumination: task.training.illumination },
  });
  const learner = await openRemoteLearner(task.provider, learnerOptions(task), state.network, state);
  const plan = recipe.stages.flatMap((stage) => Array.from({ length: stage.rounds }, (_, at) => ({ stage, at })));
  try {
    let labels = await callAll(task, learner, pictures);
    const first = place.first.length === 0 ? namesOf(labels) : place.first;
    place = { ...place, first, last: namesOf(labels) };
    for (let round = place.epoch; round < plan.length; round++) {
      if (settled(place.history, recipe)) break;
      const started = performance.now();
      const { stage, at } = plan[round]!;
      const learnt = labels.map((own) => own.slice(0, Math.round(shareAt(stage, at) * own.length)));
      const loss = await learnRound(task, stage, at, round, learnt, learner, pictures);
      labels = await callAll(task, learner, pictures);
      const last = namesOf(labels);
      const record: AdaptRound = {
        cellType: task.cellType,
        stage: stage.name,
        round,
        rounds: plan.length,
        taken: learnt.flat().length,
        wells: last.length,
        changed: changedShare(place.last, last),
        loss,
        seconds: (performance.now() - started) / 1000,
      };
      place = { ...place, epoch: round + 1, history: [...place.history, record], last };
      await writeCheckpoint(path, { state: await learner.state(), progress: place });
      task.onRound(record);
      if (stop.aborted) throw interrupted(folder);
    }
    const { network, average } = await learner.state();
    const weights = average.length > 0 ? average : network.weights;
    return {
      weights: unflatten(task.architecture, { ...network, weights }),
      rounds: place.history,
      changed: changedShare(place.first, place.last),
      ended: settled(place.history, recipe) ? "the calls no longer change" : "all rounds are done",
    };
  } finally {
    await learner.close();
  }
};

/** One word per call, to be compared with those of another round. */
const namesOf = (labels: readonly (readonly PseudoLabel[])[]): string[] =>
  labels.flatMap((own, e) => own.map(({ plate, well, called }) => `${e} ${plate} ${well} ${called}`)).toSorted();

const interrupted = (folder: string): PlatestreamError =>
  new PlatestreamError("cancelled", `interrupted; the same command goes on from ${folder}`);

/** Of the treatment wells. */
const shareAt = ({ learnsFrom, share: [first, last], rounds }: AdaptStage, at: number): number => {
  if (learnsFrom !== "calls") return learnsFrom === "controls" ? 0 : 1;
  return rounds === 1 ? last : first + ((last - first) * at) / (rounds - 1);
};

/** A cosine; `done` of the stage is behind. */
const falling = (rate: number, done: number): number => (rate * (1 + Math.cos(Math.PI * done))) / 2;

/** Two rounds in succession learnt from as many treatment wells and changed next to nothing. */
const settled = (history: readonly AdaptRound[], { unchanged }: AdaptRecipe): boolean => {
  const [one, two] = history.slice(-2);
  if (one === undefined || two === undefined || two.taken === 0) return false;
  return one.taken === two.taken && Math.max(one.changed, two.changed) <= unchanged;
};

const changedShare = (before: readonly string[], after: readonly string[]): number => {
  const known = new Set(before);
  return after.filter((each) => !known.has(each)).length / Math.max(after.length, 1);
};

/** Per experiment, its wells as the network and the design call them now. */
const callAll = async (task: AdaptTask, learner: Learner, pictures: Pictures): Promise<PseudoLabel[][]> => {
  const { architecture, training, serving, design } = task;
  const calls: PseudoLabel[][] = [];
  for (const { treatments, controls } of task.experiments) {
    const wells = await predictHeldOut(
      {
        learner,
        pictures,
        architecture,
        recipe: training,
        samples: [...treatments, ...controls],
        classes: design.classes,
        controls: false,
        images: training.microBatch,
        scores: ({ site }) => site.wellType === "treatment",
      },
      serving,
    );
    calls.push(pseudoLabels(wells, design));
  }
  return calls;
};

/** One pass over images that are drawn anew; returns the mean loss. */
const learnRound = async (
  task: AdaptTask,
  stage: AdaptStage,
  at: number,
  round: number,
  labels: readonly (readonly PseudoLabel[])[],
  learner: Learner,
  pictures: Pictures,
): Promise<number> => {
  const { training, design, architecture, recipe } = task;
  const names = new Map(design.classes.map((name, k) => [name, k]));
  const own = task.experiments.flatMap(({ treatments, controls }, e) => {
    const called = new Map(labels[e]!.map((label) => [`${label.plate} ${label.well}`, label]));
    const wells = treatments.flatMap((sample): Sample[] => {
      const label = called.get(`${sample.site.plate} ${sample.site.well}`);
      if (label === undefined) return [];
      const treatment = design.classes[label.called]!;
      return [
        stage.learnsFrom === "probabilities"
          ? { ...sample, treatment, shares: label.shares }
          : { ...sample, treatment },
      ];
    });
    return [...wells, ...controls.filter(({ treatment }) => names.has(treatment))];
  });
  const key = `${recipe.seed} ${stage.name} ${round}`;
  const original = task.original.filter(({ treatment }) => names.has(treatment));
  const fromOriginal = original.length === 0 ? 0 : stage.original;
  const draw = (samples: readonly Sample[], images: number, name: string) => {
    const batches: ReturnType<typeof epochBatches> = [];
    const count = Math.round(images / training.microBatch);
    const options = { ...training, imagesPerEpoch: undefined, seed: recipe.seed };
    for (let pass = 0; samples.length > 0 && batches.length < count; pass++) {
      batches.push(...epochBatches(samples, options, `${name} ${round}`, pass));
    }
    return batches.slice(0, count);
  };
  const batches = seededShuffle(
    [
      ...draw(own, stage.images * (1 - fromOriginal), "own"),
      ...draw(original, stage.images * fromOriginal, "original"),
    ],
    key,
  );
  let sum = 0;
  for (const [batch, micro] of batches.entries()) {
    const place = { stage: `${stage.name} ${round}`, epoch: 0, batch, mixup: 0, cutmix: 0 };
    sum += await learner.accumulate(
      await trainingBatch(micro, place, names, pictures, { architecture, recipe: training }),
    );
    const rate = fromOriginal > 0 ? stage.rate : stage.rateAlone;
    await learner.update(falling(rate, (at + (batch + 1) / batches.length) / stage.rounds));
    if (task.stop.aborted) throw interrupted(task.folder);
  }
  return sum / Math.max(batches.length, 1);
};

const learnerOptions = ({ architecture, training, recipe, threads }: AdaptTask): LearnerOptions => ({
  architecture,
  images: training.microBatch,
  precision: "float32",
  loss: training.loss.kind === "bce" ? training.loss : { ...training.loss, kind: "cross-entropy" },
  learns: "network",
  evaluationImages: training.microBatch,
  optimiser: { ...adamDefaults, amsgrad: true },
  averaging: recipe.average,
  divisor: 1,
  threads,
});

const freshState = ({ architecture, weights, recipe }: AdaptTask): LearnerState => {
  const network = flatten(architecture, weights, "the network of the bundle");
  return {
    network,
    adam: adamState(flatIndex(architecture).length, { amsgrad: true }),
    lossScale: freshLossScale("float32"),
    average: recipe.average === 0 ? new Float32Array() : network.weights.slice(),
  };
};

/** Of everything that decides the result. */
export const identityOf = ({ recipe, training, weights, experiments, original, serving }: AdaptTask): string => {
  const hash = createHash("sha256").update(JSON.stringify([recipe, training, serving]));
  const places = (samples: readonly Sample[]) =>
    samples.map(({ site, treatment }) => [site.experiment, site.plate, site.well, site.site, treatment]);
  for (const { treatments, controls } of experiments) hash.update(JSON.stringify(places([...treatments, ...controls])));
  hash.update(JSON.stringify(places(original)));
  for (const [name, values] of weights)
    hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return hash.digest("hex").slice(0, 16);
};
