/** What `pipeline model new` and `pipeline model import` do. */

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { noReplicates } from "../../common/assignment/replicates.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { readSafetensors } from "../../common/safetensors.ts";
import { parse } from "../../common/schema.ts";
import { type Design, learnDesign } from "../../datasets/design.ts";
import { openDataset } from "../../datasets/open.ts";
import { addToBundle, type NewManifest, readManifest, writeBundle } from "../../gpu-worker/bundle/bundle.ts";
import { classCount, importWeights } from "../../gpu-worker/bundle/import-weights.ts";
import { bundleVersion } from "../../gpu-worker/bundle/manifest.ts";
import type { Variant } from "../../gpu-worker/network/architecture.ts";
import { architectureSchema, most, variants } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";

/** Which network a new bundle is for. */
export interface NetworkOptions {
  readonly arch: Variant;
  readonly classes?: number;
  readonly layout?: string;
  readonly cellTypes?: string[];
  readonly size: { readonly height: number; readonly width: number };
  readonly channels?: number;
  readonly plates: number;
  readonly name?: string;
  readonly seed: number;
  readonly out: string;
}

export interface ImportOptions extends NetworkOptions {
  readonly newHead?: boolean;
}

/** What a dataset, or the options in its place, say about a network. */
interface Plan {
  readonly classes: readonly string[];
  readonly controls: readonly number[];
  readonly design: Design;
  readonly cellTypes: readonly string[];
  readonly channels: number;
  readonly channelNames: readonly string[];
}

const wrong = (message: string) => new PlatestreamError("invalid-config", message);

export const newBundle = async (options: NetworkOptions): Promise<void> => {
  const out = resolve(options.out);
  if (existsSync(join(out, "bundle.json"))) {
    throw wrong(`${out} is a bundle already, which would be overwritten; choose another --out, or remove it first`);
  }
  const manifest = manifestFor(options, await planFor(options), false);
  const cellTypes = Object.keys(manifest.cellTypes);
  const networks = cellTypes.map(
    (cellType, index) => [cellType, initialWeights(manifest.architecture, options.seed + index)] as const,
  );
  const written = await writeBundle(out, manifest, new Map(networks));
  process.stdout.write(
    `${out}: ${manifest.name} ${bundleVersion(written)}, ${describe(options, manifest)}\n` +
      "Its weights are fresh: it is untrained, and what it predicts means nothing until it is trained.\n",
  );
};

/** `said` says whether an option was given, rather than its default. */
export const importBundle = async (
  file: string,
  options: ImportOptions,
  said: (option: string) => boolean,
): Promise<void> => {
  const out = resolve(options.out);
  const tensors = readSafetensors(await readRegularFile(file, "invalid-model"), file);
  const { newHead = false, seed } = options;
  const from = { newHead, seed };
  const trained = !newHead;

  if (existsSync(join(out, "bundle.json"))) {
    const fixed = ["arch", "classes", "layout", "size", "channels", "plates", "name"].filter(said);
    if (fixed.length > 0) {
      throw wrong(`${out} is a bundle already and says what its networks are: leave out --${fixed.join(", --")}`);
    }
    const cellTypes = options.cellTypes;
    if (cellTypes === undefined) throw wrong(`say with --cell-types which network of ${out} the weights are for`);
    const { architecture } = await readManifest(out);
    const { weights, notes } = importWeights(tensors, architecture, from, file);
    for (const cellType of cellTypes) await addToBundle(out, cellType, weights, { trained });
    return print([`${out}: the networks for ${cellTypes.join(", ")} come from ${file}`, ...notes]);
  }

  const classes = options.classes ?? (newHead ? undefined : classCount(tensors));
  const manifest = manifestFor(options, await planFor(options, classes), trained);
  const { weights, notes } = importWeights(tensors, manifest.architecture, from, file);
  const networks = Object.keys(manifest.cellTypes).map((cellType) => [cellType, weights] as const);
  const written = await writeBundle(out, manifest, new Map(networks));
  print([`${out}: ${manifest.name} ${bundleVersion(written)}, ${describe(options, manifest)}`, ...notes]);
};

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n  ")}\n`);

const planFor = async (options: NetworkOptions, classes = options.classes): Promise<Plan> => {
  const { layout, cellTypes, channels } = options;
  if (layout === undefined) {
    if (classes !== undefined && classes > most.classes) {
      throw wrong(`a network has at most ${most.classes} classes, not ${classes}`);
    }
    if (classes === undefined) throw wrong("say how many classes there are with --classes, or give a --layout");
    if (cellTypes === undefined) throw wrong("say which cell types there are with --cell-types, or give a --layout");
    const names = Array.from({ length: classes }, (_, index) => String(index));
    return { classes: names, controls: [], design: noDesign, cellTypes, channels: channels ?? 6, channelNames: [] };
  }
  if (options.classes !== undefined) throw wrong("--layout gives the classes: leave out --classes");
  const learnt = await learnLayout(layout);
  return { ...learnt, cellTypes: cellTypes ?? learnt.cellTypes, channels: channels ?? learnt.channels };
};

/** Classes are all that occur in the dataset, treatments and controls, in the order of their numbers or names. */
const learnLayout = async (dir: string): Promise<Plan> => {
  const dataset = await openDataset(dir);
  const experiments = [];
  for (const { id } of dataset.experiments) experiments.push(await dataset.load(id));
  const sites = experiments.flatMap(({ sites }) => sites);
  const named = (which: (wellType: string) => boolean) =>
    new Set(
      sites.flatMap(({ treatment, wellType }) => (treatment !== undefined && which(wellType) ? [treatment] : [])),
    );
  const treatments = named((wellType) => wellType === "treatment");
  const controls = named((wellType) => wellType !== "treatment");
  const { compare } = new Intl.Collator("en", { numeric: true });
  const classes = [...new Set([...treatments, ...controls])].sort(compare);
  if (classes.length === 0) {
    throw new PlatestreamError("invalid-data", `no well of ${dir} is labelled, so there are no classes to learn`);
  }
  return {
    classes,
    controls: classes.flatMap((name, index) => (treatments.has(name) ? [] : [index])),
    design: learnDesign(experiments)(classes),
    cellTypes: [...new Set(dataset.experiments.map(({ cellType }) => cellType))].sort(compare),
    channels: dataset.channels.length,
    channelNames: dataset.channels,
  };
};

const manifestFor = (
  { arch, size, plates, name, out }: NetworkOptions,
  { classes, controls, design, cellTypes, channels, channelNames }: Plan,
  trained: boolean,
): NewManifest => {
  const described = { ...variants[arch], channels, ...size, classes: classes.length, plates };
  const architecture = parse(architectureSchema, described, "such a network cannot be made");
  return {
    name: name ?? basename(resolve(out)),
    architecture,
    variant: arch,
    classes: [...classes],
    controls: [...controls],
    ...design,
    channelNames: channels === channelNames.length ? [...channelNames] : [],
    input: { scale: 1 / 255, offset: 0 },
    cellTypes: Object.fromEntries(cellTypes.map((cellType) => [cellType, { trained }])),
  };
};

const noDesign: Design = { plateGroups: [], copies: [], replicates: noReplicates };

const describe = ({ arch }: NetworkOptions, { architecture, plateGroups, cellTypes }: NewManifest): string => {
  const { channels, height, width, classes } = architecture;
  const groups = plateGroups.length === 0 ? "no plate groups" : `${plateGroups.length} plate groups`;
  return `${arch} for ${channels}x${height}x${width} images, ${classes} classes, ${groups}; ${Object.keys(cellTypes).join(", ")}`;
};
