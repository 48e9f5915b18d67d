/** What `pipeline train` does: reads the recipe and the dataset, trains, and shows how it goes. */
import { existsSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { createLogUpdate } from "log-update";
import { lockFolder } from "../../common/folder-lock.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { packageFile } from "../../common/package-file.ts";
import { trainingProvider } from "../../training/learner/open-training.ts";
import type { StepStatus } from "../../training/loop/network-task.ts";
import { readRecipe } from "../../training/loop/recipe.ts";
import { trainBundle } from "../../training/loop/train-bundle.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { fitConfidenceOf } from "../parts/fit-confidence.ts";
import { interruptible } from "../parts/interruptible.ts";
import { openForCommand } from "../parts/open-dataset.ts";
import { formatDuration } from "../terminal/live-view.ts";

export interface TrainFlags extends DatasetOptions {
  readonly data: string;
  readonly recipe: string;
  readonly out: string;
  readonly name?: string;
  readonly cellType?: string[];
  readonly experiment?: string[];
  readonly validation?: string[];
  readonly runtime: string;
  readonly provider: string;
  readonly threads: number;
  readonly cacheMib: number;
  readonly checkpointMinutes: number;
}

const stepLine = ({ cellType, stage, epoch, epochs, batch, batches, loss, imagesPerSecond, secondsLeft }: StepStatus) =>
  `${cellType} ${stage} ${epoch + 1}/${epochs}   micro-batch ${batch}/${batches}   loss ${loss.toPrecision(4)}   ` +
  `${imagesPerSecond.toFixed(1)} images/s   ${formatDuration(secondsLeft)} left`;

const recipeFile = (name: string): string => {
  const shipped = packageFile(`recipes/${name.replace(/\.yaml$/, "")}.yaml`);
  const given = statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
  return !given && !name.includes("/") && existsSync(shipped) ? shipped : name;
};

export const runTraining = async (flags: TrainFlags): Promise<void> => {
  const recipe = await readRecipe(recipeFile(flags.recipe));
  const dataset = await openForCommand(flags.data, flags);
  const live = createLogUpdate(process.stderr);
  const say = (line: string) => {
    if (process.stderr.isTTY) live.clear();
    process.stderr.write(`${line}\n`);
  };
  const stop = new AbortController();
  const interrupts = interruptible(() => {
    say("interrupted: finishing the step and writing a checkpoint");
    stop.abort();
  });
  let shown = performance.now();
  await makeFolder(flags.out);
  const unlock = await lockFolder(flags.out);
  try {
    const untouched = await trainBundle(dataset, {
      recipe,
      out: flags.out,
      name: flags.name ?? basename(resolve(flags.out)),
      cellTypes: flags.cellType,
      only: flags.experiment,
      validation: flags.validation,
      provider: trainingProvider(flags.runtime, flags.provider),
      threads: flags.threads,
      cacheBytes: flags.cacheMib * 2 ** 20,
      checkpointMinutes: flags.checkpointMinutes,
      stop: stop.signal,
      onStep(step) {
        const every = process.stderr.isTTY ? 200 : 30_000;
        if (performance.now() - shown < every) return;
        shown = performance.now();
        if (process.stderr.isTTY) live(stepLine(step));
        else process.stderr.write(`${stepLine(step)}\n`);
      },
      onEpoch: say,
    });
    if (untouched.experiments.length > 0) {
      const { experiments, bundle: judged } = untouched;
      const work = { dataset, experiments, judged, bundle: flags.out, signal: stop.signal };
      for (const sentence of await fitConfidenceOf(work)) say(sentence);
    }
    process.stdout.write(`${flags.out}\n`);
  } finally {
    if (process.stderr.isTTY) live.clear();
    interrupts.close();
    await unlock();
  }
};
