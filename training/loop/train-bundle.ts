/** From a dataset to a bundle: one network per cell type, with everything that serving needs beside it. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { parse } from "../../common/schema.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { type Design, learnDesign } from "../../datasets/design.ts";
import { addToBundle, type NewManifest, readManifest, writeBundle } from "../../gpu-worker/bundle/bundle.ts";
import {
  type Architecture,
  architectureSchema,
  variants,
  type Weights,
} from "../../gpu-worker/network/architecture.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { openPictures } from "../data/pictures.ts";
import { type Classes, classesOf, isControl, type Sample, samplesOf } from "../data/samples.ts";
import type { NetworkTask } from "./network-task.ts";
import type { Recipe } from "./recipe.ts";
import { trainNetwork } from "./train.ts";

export type BundleOptions = Pick<
  NetworkTask,
  "recipe" | "provider" | "threads" | "cacheBytes" | "checkpointMinutes" | "stop" | "onStep" | "onEpoch"
> & {
  /**
   * Folder of the bundle. A run's checkpoints and curves go to `training/<cell type>` in it; the networks as they were
   * before the last stage, a bundle too, to `training/before-<stage>`.
   */
  readonly out: string;
  /** What clients call the bundle. */
  readonly name: string;
  /** Absent: all cell types of the dataset, one after the other. */
  readonly cellTypes?: readonly string[] | undefined;
  /** Experiments that are used at all; absent: all of the dataset. */
  readonly only?: readonly string[] | undefined;
  /** Experiments held out; absent: of every cell type with several, the last whose treatments are labelled. */
  readonly validation?: readonly string[] | undefined;
};

/** What of the dataset no network has learnt from, and where the networks are of which that is true. */
export interface Untouched {
  readonly experiments: readonly string[];
  /** The bundle itself, or as it was before a last stage that learnt from all. */
  readonly bundle: string;
}

/** Trains, and adds every network to the bundle as soon as it is done. */
export const trainBundle = async (dataset: LoadableDataset, options: BundleOptions): Promise<Untouched> => {
  const { recipe, out } = options;
  const used = chooseExperiments(dataset, options.only);
  const cellTypes = chooseCellTypes({ ...dataset, experiments: used }, options.cellTypes);
  const experiments = await Promise.all(used.map(({ id }) => dataset.load(id)));
  const heldOut = chooseValidation(experiments, options.validation);
  const visible = experiments.filter(({ id }) => !heldOut.has(id));
  const classes = classesOf(experiments.flatMap(samplesOf));
  // No score of the training knows of the design, so what the held-out experiments teach of it spoils none.
  const design = learnDesign(experiments);
  const architecture = await imageArchitecture(experiments, recipe, dataset.root);

  for (const cellType of cellTypes) {
    const own = (all: readonly Experiment[]) => all.filter((each) => each.cellType === cellType).flatMap(samplesOf);
    const [training, validation] = [own(visible), own(experiments.filter(({ id }) => heldOut.has(id)))];
    if (validation.length === 0)
      options.onEpoch(`${cellType}: no labelled experiment is held out, so nothing is scored`);
    else if (training.length === 0)
      throw new PlatestreamError(
        "invalid-config",
        `all labelled experiments of ${cellType} are held out (${validationOf(cellType).join(", ")}); leave one to learn from`,
      );
    const {
      weights,
      classes: names,
      serving,
      score,
      before,
    } = await trainNetwork({
      ...options,
      cellType,
      architecture,
      classes,
      training,
      validation,
      folder: join(out, "training", cellType.replaceAll(/[^\w.-]/g, "_")),
    });
    const metrics = score === undefined ? {} : { validation: { ...score, experiments: validationOf(cellType) } };
    const manifest = manifestOf(
      { ...options, channels: dataset.channels },
      { ...architecture, classes: names.length },
      names,
      classes,
      design(names),
    );
    await store(out, manifest, cellType, weights, { trained: true, serving, metrics });
    if (before === undefined) continue;
    const place = `before-${recipe.stages.at(-1)!.name}`;
    const earlier = { ...manifest, name: `${manifest.name}-${place}` };
    await store(join(out, "training", place), earlier, cellType, before, { trained: true, serving, metrics: {} });
  }

  const last = recipe.stages.at(-1)!;
  const names = cellTypes.flatMap(validationOf);
  const learntFromAll = recipe.stages.slice(0, -1).some(({ images }) => images === "all");
  if (last.images === "controls" || learntFromAll) return { experiments: [], bundle: out };
  if (last.images === "training") return { experiments: names, bundle: out };
  const place = join(out, "training", `before-${last.name}`);
  return { experiments: (await stat(place).catch(() => undefined)) === undefined ? [] : names, bundle: place };

  function validationOf(cellType: string): string[] {
    return experiments.filter((each) => each.cellType === cellType && heldOut.has(each.id)).map(({ id }) => id);
  }
};

/** Adds a network to the bundle of that folder, which may be there already. */
const store = async (
  folder: string,
  manifest: NewManifest,
  cellType: string,
  weights: Weights,
  notes: NewManifest["cellTypes"][string],
): Promise<void> => {
  if (await stat(join(folder, "bundle.json")).catch(() => undefined)) {
    await checkAgreement(folder, manifest);
    await addToBundle(folder, cellType, weights, notes);
  } else {
    await writeBundle(folder, { ...manifest, cellTypes: { [cellType]: notes } }, new Map([[cellType, weights]]));
  }
};

const chooseExperiments = (
  { experiments, root }: LoadableDataset,
  only: readonly string[] | undefined,
): LoadableDataset["experiments"] => {
  const unknown = (only ?? []).filter((id) => !experiments.some((experiment) => experiment.id === id));
  if (unknown.length > 0)
    throw new PlatestreamError("invalid-config", `${root} has no experiment ${unknown.join(", ")}`);
  return only === undefined ? experiments : experiments.filter(({ id }) => only.includes(id));
};

const chooseCellTypes = ({ experiments, root }: LoadableDataset, wanted: readonly string[] | undefined): string[] => {
  const known = [...new Set(experiments.map(({ cellType }) => cellType))];
  const unknown = (wanted ?? []).filter((cellType) => !known.includes(cellType));
  if (unknown.length > 0)
    throw new PlatestreamError(
      "invalid-config",
      `${root} has no cell type ${unknown.join(", ")}; it has ${known.join(", ")}`,
    );
  return [...(wanted ?? known)];
};

const chooseValidation = (all: readonly Experiment[], wanted: readonly string[] | undefined): Set<string> => {
  if (wanted !== undefined) {
    const unknown = wanted.filter((id) => !all.some((experiment) => experiment.id === id));
    if (unknown.length === 0) return new Set(wanted);
    throw new PlatestreamError(
      "invalid-config",
      `there is no experiment ${unknown.join(", ")} to hold out among those that are used`,
    );
  }
  const cellTypes = new Map<string, string[]>();
  const labelled = all.filter((each) => samplesOf(each).some((sample) => !isControl(sample)));
  for (const { id, cellType } of labelled) cellTypes.set(cellType, [...(cellTypes.get(cellType) ?? []), id]);
  return new Set([...cellTypes.values()].flatMap((ids) => (ids.length > 1 ? [ids.at(-1)!] : [])));
};

/** The recipe's network for images like the dataset's first. */
const imageArchitecture = async (
  experiments: readonly Experiment[],
  recipe: Recipe,
  root: string,
): Promise<Architecture> => {
  const sites = experiments.flatMap((experiment) => experiment.sites);
  if (sites.length === 0) throw new PlatestreamError("invalid-data", `${root} has no sites`);
  // An unreadable image is left out of the training, and must not stop it here.
  const tried = sites.filter((_, i) => i % Math.ceil(sites.length / 9) === 0);
  const { loadUsable } = openPictures({
    cacheBytes: 0,
    reading: { range: recipe.range, illumination: recipe.illumination },
  });
  const samples = tried.map((site): Sample => ({ site, treatment: site.treatment ?? "", plate: 0 }));
  const { channels, height, width } = (await loadUsable(samples))[0]!.picture;
  const shape = typeof recipe.architecture === "string" ? variants[recipe.architecture] : recipe.architecture;
  const plates = recipe.plateInput ? Math.max(...experiments.map((experiment) => experiment.plates.length)) : 0;
  return parse(
    architectureSchema,
    { ...shape, channels, height, width, classes: 1, plates },
    `no such network can be trained on ${root}`,
  );
};

const manifestOf = (
  { name, recipe, channels }: BundleOptions & { readonly channels: readonly string[] },
  architecture: Architecture,
  names: readonly string[],
  { controls }: Classes,
  design: Design,
): NewManifest => {
  const index = (treatment: string) => names.indexOf(treatment);
  const known = (indices: readonly number[]) => indices.filter((k) => k >= 0);
  const last = recipe.stages.at(-1)!;
  return {
    name,
    architecture,
    variant: typeof recipe.architecture === "string" ? recipe.architecture : "custom",
    classes: [...names],
    controls: last.images === "controls" ? names.map((_, k) => k) : known(controls.map(index)),
    ...design,
    channelNames: channels.length === architecture.channels ? [...channels] : [],
    input: { scale: recipe.pixelScale, offset: 0 },
    recipe,
    cellTypes: {},
  };
};

/** Throws "invalid-config" where the folder holds a bundle of other classes or of another network. */
const checkAgreement = async (out: string, { architecture, channelNames, classes }: NewManifest): Promise<void> => {
  const there = await readManifest(out);
  const differing = [
    ...(String(there.classes) === String(classes)
      ? []
      : [`classes: ${there.classes.length} there, ${classes.length} here, or others`]),
    ...(there.channelNames.length === 0 || String(there.channelNames) === String(channelNames)
      ? []
      : [
          `channels: ${there.channelNames.join(", ")} there, ${channelNames.join(", ")} here; order them with --channels`,
        ]),
    ...Object.entries(architecture)
      .filter(([key, value]) => String(there.architecture[key as keyof Architecture]) !== String(value))
      .map(
        ([key, value]) => `architecture.${key}: ${there.architecture[key as keyof Architecture]} there, ${value} here`,
      ),
  ];
  if (differing.length > 0)
    throw new PlatestreamError(
      "invalid-config",
      listProblems(
        `the networks of a bundle differ in their weights alone; ${out} has others (give another --out):`,
        differing,
      ),
    );
};
