/** From a bundle to one that has seen new experiments, without their labels. */
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileName, readJson, replaceFile } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { addToBundle, readBundle, readManifest } from "../../gpu-worker/bundle/bundle.ts";
import { inNetworkOrder } from "../../screen/channels.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { samplesOf } from "../data/samples.ts";
import { type Recipe, recipeSchema } from "../loop/recipe.ts";
import { type Adapted, type AdaptTask, adaptNetwork, checkpointIn, identityOf } from "./adapt-network.ts";
import { drawRounds } from "./draw-rounds.ts";
import { withoutLabels } from "./unlabelled.ts";

export type AdaptOptions = Pick<AdaptTask, "recipe" | "provider" | "threads" | "cacheBytes" | "stop" | "onRound"> & {
  /** Folder of the bundle to start from. */
  readonly model: string;
  /** Folder of the new bundle. Checkpoints and the report go to `adapted/` in it. */
  readonly out: string;
  /** Experiments to learn from. */
  readonly experiments: readonly string[];
  /** The original training data. */
  readonly original?: LoadableDataset | undefined;
};

/** What `adapted/report.json` says of one network. */
export type AdaptReport = Omit<Adapted, "weights"> & { readonly experiments: readonly string[] };

/**
 * By cell type. The networks of other cell types are taken over as they are. What an earlier call with the same bundle,
 * recipe and experiments has finished is not done again.
 */
export const adaptBundle = async (
  dataset: LoadableDataset,
  options: AdaptOptions,
): Promise<ReadonlyMap<string, AdaptReport>> => {
  const { model, out, experiments, original } = options;
  const { manifest, weights } = await readBundle(model);
  const training = trainedWith(manifest.recipe);
  const chosen = dataset.experiments.filter(({ id }) => experiments.includes(id));
  const cellTypes = [...new Set(chosen.map(({ cellType }) => cellType))];
  const missing = cellTypes.filter((cellType) => !weights.has(cellType));
  if (missing.length > 0) {
    throw new PlatestreamError(
      "unknown-model",
      `${model} has no network for ${missing.join(", ")}; it has ${[...weights.keys()].join(", ")}`,
    );
  }
  const network = {
    name: manifest.name,
    channels: manifest.architecture.channels,
    channelNames: manifest.channelNames,
  };
  const load = async (from: LoadableDataset, ids: readonly string[]): Promise<Experiment[]> =>
    (await Promise.all(ids.map((id) => from.load(id)))).map((each) => inNetworkOrder(each, network));
  const tasks = new Map<string, AdaptTask>();
  for (const cellType of cellTypes) {
    const own = chosen.filter((each) => each.cellType === cellType).map(({ id }) => id);
    const before = original?.experiments.filter((each) => each.cellType === cellType && !own.includes(each.id)) ?? [];
    const { serving } = manifest.cellTypes[cellType]!;
    tasks.set(cellType, {
      ...options,
      cellType,
      weights: weights.get(cellType)!,
      architecture: manifest.architecture,
      design: manifest,
      serving,
      training: { ...training, microBatch: serving.batch },
      experiments: (await load(dataset, own)).map(withoutLabels),
      original:
        original === undefined
          ? []
          : (
              await load(
                original,
                before.map(({ id }) => id),
              )
            ).flatMap(samplesOf),
      folder: join(out, "adapted", fileName(cellType)),
    });
  }
  const reportPath = join(out, "adapted", "report.json");
  const identities = JSON.stringify([...tasks].map(([cellType, task]) => [cellType, identityOf(task)]));
  const finished = await finishedBefore(out, reportPath, identities);
  if (finished !== undefined) return finished;

  await mkdir(out, { recursive: true });
  const results = new Map<string, Adapted>();
  for (const [cellType, task] of tasks) results.set(cellType, await adaptNetwork(task));
  await copyBundle(model, out, manifest);
  const reports = new Map<string, AdaptReport>();
  for (const [cellType, { weights: learnt, ...rest }] of results) {
    const { trained, metrics = {}, serving, confidence } = manifest.cellTypes[cellType]!;
    const ids = tasks.get(cellType)!.experiments.map(({ id }) => id);
    const about = { experiments: ids, rounds: rest.rounds.length, changedCalls: rest.changed };
    const served = { ...serving, allViews: serving.allViews || options.recipe.allViews };
    const notes = { trained, serving: served, confidence, metrics: { ...metrics, adapted: about } };
    await addToBundle(out, cellType, learnt, notes);
    reports.set(cellType, { experiments: ids, ...rest });
    const title = `${cellType}: ${ids.join(", ")}`;
    await writeFile(join(tasks.get(cellType)!.folder, "rounds.svg"), drawRounds(title, rest.rounds));
  }
  const report: Finished = { identities, networks: Object.fromEntries(reports) };
  await replaceFile(reportPath, `${JSON.stringify(report, undefined, 2)}\n`);
  for (const { folder } of tasks.values()) await rm(checkpointIn(folder), { force: true });
  return reports;
};

interface Finished {
  /** Of what was adapted, to what and how. */
  readonly identities: string;
  readonly networks: Readonly<Record<string, AdaptReport>>;
}

/** Undefined where the folder holds no bundle, or the one of another adaptation. */
const finishedBefore = async (out: string, reportPath: string, identities: string) => {
  const report = await readJson<Finished>(reportPath).catch(() => undefined);
  if (report?.identities !== identities) return undefined;
  const whole = await readManifest(out).then(
    () => true,
    () => false,
  );
  return whole ? new Map(Object.entries(report.networks)) : undefined;
};

/** The recipe in a bundle; one that it does not have, or of another version, is the source's. */
const trainedWith = (recipe: unknown): Recipe => {
  const parsed = recipeSchema.safeParse(recipe === undefined ? {} : recipe);
  return parsed.success ? parsed.data : recipeSchema.parse({});
};

const copyBundle = async (
  from: string,
  to: string,
  { cellTypes }: { cellTypes: Record<string, { weights: string }> },
) => {
  for (const { weights } of Object.values(cellTypes)) await cp(join(from, weights), join(to, weights));
  await cp(join(from, "bundle.json"), join(to, "bundle.json"));
};
