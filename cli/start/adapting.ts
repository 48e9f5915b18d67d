/** `--adapt`: every experiment is called by a network of its own, which has learnt from it. */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { inFolder } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { lockFolder } from "../../common/folder-lock.ts";
import { makeFolder } from "../../common/make-folder.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { openDataset } from "../../datasets/open.ts";
import type { RunConfig } from "../../pipeline/config.ts";
import type { AdaptedWorkers } from "../../pipeline/run/node.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { type AdaptReport, adaptBundle } from "../../training/adapt/adapt-bundle.ts";
import { adaptedSentence, readAdaptRecipe, roundSentence } from "../parts/adaptation.ts";
import { openWorkers } from "../parts/open-workers.ts";
import type { NodeParts } from "./node-parts.ts";

/** Where the bundles go, one folder for each experiment. */
const foldersIn = (out: string): string => join(resolve(out), "adapted");

/** What of the configuration decides the networks, for the origin of a folder's results. */
export const adaptationOf = ({ adapt, original }: RunConfig): string | undefined =>
  adapt === undefined ? undefined : original === undefined ? adapt : `${adapt}, with ${resolve(original)}`;

/** Undefined where no adaptation is asked for. Throws "invalid-config" where there is no bundle to adapt. */
export const openAdapting = async ({
  config,
  interrupts,
  onStatus,
  operations,
}: NodeParts): Promise<((experiment: Experiment) => Promise<AdaptedWorkers>) | undefined> => {
  const { adapt, original, model, out } = config;
  if (adapt === undefined) return undefined;
  if (model === undefined || config.workers.length > 0) {
    throw new PlatestreamError(
      "invalid-config",
      "--adapt makes a bundle for every experiment and serves it here: give it the bundle to start from with --model DIR, and no --worker",
    );
  }
  const recipe = await readAdaptRecipe(adapt);
  const known = original === undefined ? undefined : await openDataset(original);

  const learn = async (experiment: Experiment, folder: string): Promise<AdaptReport> => {
    await makeFolder(folder);
    const unlock = await lockFolder(folder);
    try {
      const reports = await adaptBundle(datasetOf(experiment), {
        recipe,
        model,
        out: folder,
        experiments: [experiment.id],
        original: known,
        provider: "cpu",
        threads: availableParallelism(),
        cacheBytes: config.memoryMiB * 2 ** 20,
        stop: interrupts.signal,
        onRound(round) {
          const share = (round.round + 1) / round.rounds;
          onStatus({ type: "adapting", experiment: experiment.id, detail: roundSentence(round), share });
        },
      });
      return reports.get(experiment.cellType)!;
    } finally {
      await unlock();
    }
  };

  let before: Promise<unknown> = Promise.resolve(); // one at a time: each takes all cores
  return async (experiment) => {
    const folder = inFolder(foldersIn(out), experiment.id);
    const report = before.then(() => learn(experiment, folder));
    before = report.catch(() => undefined);
    const notes = [adaptedSentence(await report)];
    const workers = await openWorkers({ ...config, model: folder }, onStatus, undefined, undefined, operations);
    return { workers, notes, close: workers.close };
  };
};

const datasetOf = (experiment: Experiment): LoadableDataset => ({
  root: "",
  channels: experiment.channels === undefined ? [] : experiment.channels.names,
  experiments: [{ id: experiment.id, cellType: experiment.cellType, sites: experiment.sites.length }],
  load: async () => experiment,
});
