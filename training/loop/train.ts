/** Trains one network: stage after stage, epoch after epoch, from the last checkpoint on. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import type { Serving } from "../../common/serving.ts";
import type { Weights } from "../../gpu-worker/network/architecture.ts";
import type { Site } from "../../screen/experiment.ts";
import { type TrainingBatch, trainingBatch } from "../data/batches.ts";
import { openPictures } from "../data/pictures.ts";
import { checkSamples, epochBatches, type Sample, stageClasses } from "../data/samples.ts";
import { flatten, unflatten } from "../learner/flat.ts";
import { openRemoteLearner } from "../learner/remote-learner.ts";
import { beginningOf, type Checkpoint, type Progress, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { computedClassifier } from "./computed-classifier.ts";
import { endStage } from "./end-stage.ts";
import type { EpochRecord } from "./epoch-record.ts";
import { canValidate, trainedServing, type Validation } from "./held-out-wells.ts";
import { openMetrics } from "./metrics.ts";
import {
  architectureOf,
  freshState,
  haveSameClasses,
  imagesOfStages,
  learnerOptions,
  type NetworkTask,
  samplesOfStage,
} from "./network-task.ts";
import { rateAt, type Stage } from "./recipe.ts";
import { type Score, validate } from "./validate.ts";
import { startWeights } from "./weights.ts";

export interface TrainedNetwork {
  readonly weights: Weights;
  readonly classes: readonly string[];
  readonly serving: Serving;
  /** Of the best network of the last stage that held experiments out; absent where none did. */
  readonly score?: Pick<Score, "running" | "calibrated">;
  /** What the last stage started with; absent where it was made for other classes, or there is one stage. */
  readonly before?: Weights;
}

/** Micro-batches that are made ready ahead of the network. */
const ahead = 3;
const mostOverflows = 50;

export const trainNetwork = async (task: NetworkTask): Promise<TrainedNetwork> => {
  const { recipe, folder, cellType, stop } = task;
  await mkdir(folder, { recursive: true });
  const [lastPath, bestPath, beforePath] = ["last", "best", "before"].map((name) =>
    join(folder, `${name}.safetensors`),
  ) as [string, string, string];
  const identity = identityOf(task);
  const pictures = openPictures({
    cacheBytes: task.cacheBytes,
    reading: { range: recipe.range, illumination: recipe.illumination },
    onLeftOut: leftOutLines(task),
  });

  let { state, progress } = (await readCheckpoint(lastPath)) ?? (await beginning(task, identity));
  if (progress.identity !== identity)
    throw new PlatestreamError(
      "invalid-config",
      `${folder} holds a run with another recipe, other classes or other images; ` +
        "give another --out, or delete the folder to start over",
    );
  const metrics = await openMetrics(folder, `Training ${cellType}`, progress.stage, progress.epoch);

  while (progress.stage < recipe.stages.length) {
    const stage = recipe.stages[progress.stage]!;
    const samples = samplesOfStage(task, stage);
    checkSamples(samples, stage, cellType);
    const architecture = architectureOf(task, stage);
    const names = stageClasses(task.classes, stage, recipe);
    const classes = new Map(names.map((name, k) => [name, k]));
    const learner = await openRemoteLearner(task.provider, learnerOptions(task, stage), state.network, state);
    const validation: Validation = {
      learner,
      pictures,
      architecture,
      recipe,
      samples: task.validation,
      classes: names,
      controls: stage.images === "controls",
      images: recipe.microBatch,
    };
    const imagesLater = imagesOfStages(task, progress.stage);
    let saved = performance.now();
    const save = async (place: Partial<Progress>) => {
      progress = { ...progress, ...place };
      state = await learner.state();
      await writeCheckpoint(lastPath, { state, progress });
      saved = performance.now();
    };

    try {
      for (let epoch = progress.epoch; epoch < stage.epochs; epoch++) {
        const batches = epochBatches(samples, recipe, stage.name, epoch);
        const rate = rateAt(stage, epoch);
        const first = progress.batch;
        let { lossSum, skipped } = progress;
        let overflows = 0;
        const started = performance.now();

        const make = (batch: number) =>
          trainingBatch(batches[batch]!, { ...stage, stage: stage.name, epoch, batch }, classes, pictures, {
            architecture,
            recipe,
          });
        for await (const [batch, inputs] of inOrder(first, batches.length, make)) {
          const loss = await learner.accumulate(inputs);
          if (!Number.isFinite(loss) && recipe.precision === "float32")
            throw notFinite(loss, cellType, stage, epoch, batch, inputs);
          lossSum += Number.isFinite(loss) ? loss : 0;
          const stepEnds = (batch + 1) % recipe.accumulate === 0 || batch + 1 === batches.length;
          if (!stepEnds) continue;

          const moved = await learner.update(rateAt(stage, epoch, (batch + 1) / batches.length));
          overflows = moved ? 0 : overflows + 1;
          if (!moved) skipped += 1;
          if (overflows > mostOverflows) throw notFinite(loss, cellType, stage, epoch, batch, inputs);
          const done = batch + 1 - first;
          const imagesPerSecond = (1000 * done * recipe.microBatch) / Math.max(performance.now() - started, 1);
          task.onStep({
            cellType,
            stage: stage.name,
            epoch,
            epochs: stage.epochs,
            batch: batch + 1,
            batches: batches.length,
            loss: lossSum / (batch + 1),
            imagesPerSecond,
            secondsLeft: imagesLater(epoch, (batch + 1) * recipe.microBatch) / imagesPerSecond,
          });
          const within = batch + 1 < batches.length;
          if (stop.aborted || (within && performance.now() - saved > 60_000 * task.checkpointMinutes)) {
            await save({ epoch, batch: batch + 1, lossSum, skipped });
            if (stop.aborted) throw interrupted(folder);
          }
        }

        const due = (epoch + 1) % recipe.validateEvery === 0 || epoch + 1 === stage.epochs;
        const heldOut = stage.images !== "all" && canValidate(validation);
        const fresh = due && heldOut ? await scoreOf(validation, samples) : undefined;
        let { best } = progress;
        if (fresh !== undefined) {
          if (fresh.calibrated > best) {
            best = fresh.calibrated;
            await writeCheckpoint(bestPath, { state: await learner.state(), progress: { ...progress, epoch, best } });
          }
        }
        const seconds = (performance.now() - started) / 1000;
        const loss = lossSum / batches.length;
        await metrics.add({
          stage: progress.stage,
          name: stage.name,
          epoch,
          loss,
          rate,
          imagesPerSecond: ((batches.length - first) * recipe.microBatch) / seconds,
          skippedSteps: skipped,
          ...(fresh === undefined
            ? {}
            : { running: fresh.running, calibrated: fresh.calibrated, surprise: fresh.surprise }),
        });
        task.onEpoch(epochLine(cellType, stage, epoch, loss, seconds, fresh));
        await save({ epoch: epoch + 1, batch: 0, lossSum: 0, skipped: 0, best });
      }
    } finally {
      await learner.close();
    }
    const ended = await endStage(task, { state, progress }, validation, samples, bestPath);
    ({ state, progress } = ended.next);
    if (progress.stage === recipe.stages.length - 1) {
      const network = flatten(architecture, ended.served, "the network before the last stage");
      await writeCheckpoint(beforePath, { state: { ...state, network }, progress });
    }
    await writeCheckpoint(lastPath, { state, progress });
  }

  const finalStage = recipe.stages.at(-1)!;
  const architecture = architectureOf(task, finalStage);
  const weights = unflatten(architecture, state.network);
  const previous = recipe.stages.at(-2);
  const started = previous && haveSameClasses(previous, finalStage) ? await readCheckpoint(beforePath) : undefined;
  const classes = stageClasses(task.classes, finalStage, recipe);
  const score = bestScore(metrics.records);
  return {
    weights,
    classes,
    serving: progress.serving ?? trainedServing(recipe),
    ...(score === undefined ? {} : { score }),
    ...(started === undefined ? {} : { before: unflatten(architecture, started.state.network) }),
  };
};

/** Of the epoch whose network went on: the first best one of the last stage that was validated. */
const bestScore = (records: readonly EpochRecord[]): TrainedNetwork["score"] => {
  const scores = records.flatMap(({ stage, running, calibrated }) =>
    running === undefined || calibrated === undefined ? [] : [{ stage, running, calibrated }],
  );
  const ofStage = scores.filter(({ stage }) => stage === scores.at(-1)!.stage);
  const [best] = ofStage.toSorted((a, b) => b.calibrated - a.calibrated);
  return best && { running: best.running, calibrated: best.calibrated };
};

/** Before the first stage. */
const beginning = async (task: NetworkTask, identity: string): Promise<Checkpoint> => {
  const stage = task.recipe.stages[0]!;
  const architecture = architectureOf(task, stage);
  const weights = await startWeights(architecture, task.recipe, task.cellType);
  return { state: freshState(task, stage, weights), progress: beginningOf(0, identity) };
};

/** Reports the first sites that cannot be read; a long list of them says nothing more. */
const leftOutLines = ({ cellType, onEpoch }: NetworkTask) => {
  let count = 0;
  return ({ experiment, plate, well, site }: Site, reason: string): void => {
    count += 1;
    const place = `${experiment} plate ${plate} ${well} site ${site}`;
    if (count <= 5) onEpoch(`${cellType}: ${place} is left out: ${reason}`);
    if (count === 6) onEpoch(`${cellType}: more sites are left out; pipeline data verify lists them`);
  };
};

const scoreOf = async (validation: Validation, training: readonly Sample[]): Promise<Score> => {
  const serving = trainedServing(validation.recipe);
  return validate({ ...validation, classifier: await computedClassifier(validation, training, serving) }, serving);
};

/** Calls `make` for some items ahead of the one that is asked for, and gives them in order. */
async function* inOrder(
  from: number,
  to: number,
  make: (index: number) => Promise<TrainingBatch>,
): AsyncGenerator<[number, TrainingBatch]> {
  const ready: Promise<TrainingBatch>[] = [];
  for (let next = from, index = from; index < to; index++) {
    for (; next < to && next <= index + ahead; next++) {
      const made = make(next);
      made.catch(() => undefined); // reported when its turn comes
      ready.push(made);
    }
    yield [index, await ready.shift()!];
  }
}

const identityOf = ({ recipe, classes, training, validation, architecture }: NetworkTask): string => {
  const sites = [...training, ...validation].map(({ site }) => [site.experiment, site.plate, site.well, site.site]);
  const essentials = JSON.stringify([recipe, classes, architecture, sites]);
  return createHash("sha256").update(essentials).digest("hex").slice(0, 16);
};

const notFinite = (
  loss: number,
  cellType: string,
  stage: Stage,
  epoch: number,
  batch: number,
  { domain }: TrainingBatch,
): PlatestreamError =>
  new PlatestreamError(
    "internal",
    `training ${cellType} stopped: the loss is ${loss} in stage "${stage.name}", epoch ${epoch + 1}, micro-batch ` +
      `${batch + 1}, images of ${domain}; the last checkpoint is whole. Try a lower rate, or look at those images`,
  );

const interrupted = (folder: string): PlatestreamError =>
  new PlatestreamError("cancelled", `interrupted; ${folder} holds a checkpoint, and the same command goes on from it`);

const epochLine = (
  cellType: string,
  stage: Stage,
  epoch: number,
  loss: number,
  seconds: number,
  score: Score | undefined,
): string => {
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  const accuracy =
    score === undefined
      ? ""
      : `   wells right: running ${percent(score.running)}, calibrated ${percent(score.calibrated)} of ${score.wells}, surprise ${score.surprise.toFixed(2)}`;
  return `${cellType} ${stage.name} ${epoch + 1}/${stage.epochs}   loss ${loss.toPrecision(4)}   ${seconds.toFixed(0)} s${accuracy}`;
};
