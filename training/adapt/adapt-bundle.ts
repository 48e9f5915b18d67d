/** From a bundle to one that has seen new experiments, without their labels. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { addToBundle, readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { samplesOf } from "../data/samples.ts";
import { type Recipe, recipeSchema } from "../loop/recipe.ts";
import { type Adapted, type AdaptTask, adaptNetwork } from "./adapt-network.ts";
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

/** By cell type. The networks of other cell types are taken over as they are. */
export const adaptBundle = async (dataset: LoadableDataset, options: AdaptOptions): Promise<Map<string, Adapted>> => {
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
  await mkdir(out, { recursive: true });
  const adapted = new Map<string, Adapted>();
  for (const cellType of cellTypes) {
    const own = chosen.filter((each) => each.cellType === cellType).map(({ id }) => id);
    const before = original?.experiments.filter((each) => each.cellType === cellType && !own.includes(each.id)) ?? [];
    const known = await Promise.all(before.map(({ id }) => original!.load(id)));
    const { serving } = manifest.cellTypes[cellType]!;
    const result = await adaptNetwork({
      ...options,
      cellType,
      weights: weights.get(cellType)!,
      architecture: manifest.architecture,
      design: manifest,
      serving,
      training: { ...training, microBatch: serving.batch },
      experiments: (await Promise.all(own.map((id) => dataset.load(id)))).map(withoutLabels),
      original: known.flatMap(samplesOf),
      folder: join(out, "adapted", cellType.replaceAll(/[^\w.-]/g, "_")),
    });
    adapted.set(cellType, result);
  }
  await copyBundle(model, out, manifest);
  for (const [cellType, { weights: learnt, rounds, changed }] of adapted) {
    const { trained, metrics = {}, serving, confidence } = manifest.cellTypes[cellType]!;
    const own = chosen.filter((each) => each.cellType === cellType).map(({ id }) => id);
    const about = { experiments: own, rounds: rounds.length, changedCalls: changed };
    await addToBundle(out, cellType, learnt, { trained, serving, confidence, metrics: { ...metrics, adapted: about } });
  }
  const report = Object.fromEntries([...adapted].map(([cellType, { weights: _, ...rest }]) => [cellType, rest]));
  await writeFile(join(out, "adapted", "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  return adapted;
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
