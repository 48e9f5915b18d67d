/** A bundle: a folder with `bundle.json` and one safetensors file of weights per cell type. */

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ConfidenceFit, unfitted } from "../../common/assignment/confidence.ts";
import { noReplicates } from "../../common/assignment/replicates.ts";
import { replaceFile } from "../../common/atomic-files.ts";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { readSafetensors, writeSafetensors } from "../../common/safetensors.ts";
import { sourceServing } from "../../common/serving.ts";
import { type Architecture, parameters, type Weights } from "../network/architecture.ts";
import { bundleVersion, type CellTypeEntry, type Manifest, parseManifest } from "./manifest.ts";

export interface Bundle {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Identity, see `bundleVersion`. */
  readonly version: string;
  /** By cell type. */
  readonly weights: ReadonlyMap<string, Weights>;
}

/** What is said of a network beside its weights. */
export type NetworkNotes = Pick<CellTypeEntry, "trained" | "metrics"> &
  Partial<Pick<CellTypeEntry, "serving" | "confidence">>;

/** A manifest before its weights are written: files and hashes come from them. */
export type NewManifest = Omit<Manifest, "format" | "cellTypes" | "created" | "copies" | "replicates"> & {
  readonly copies?: Manifest["copies"];
  readonly replicates?: Manifest["replicates"];
  readonly cellTypes: Readonly<Record<string, NetworkNotes>>;
};

const invalid = (message: string, cause?: unknown) => new PlatestreamError("invalid-model", message, { cause });

/** Reads `bundle.json` alone. */
export const readManifest = async (folder: string): Promise<Manifest> => {
  const path = join(folder, "bundle.json");
  const bytes = await readRegularFile(path, "invalid-model").catch(({ rawMessage: why, cause }) => {
    throw invalid(`${folder} is not a bundle: ${why}; \`pipeline model new\` makes one`, cause);
  });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw invalid(`${path} is not JSON: ${(cause as Error).message}`, cause);
  }
  return parseManifest(value, path);
};

/** What keeps tensors from being the weights of this network; empty when they are. */
export const weightProblems = (
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> }>,
  architecture: Architecture,
): string[] =>
  parameters(architecture).flatMap(({ name, shape, kind }) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return [`${name} [${shape}] is missing`];
    if (String(tensor.shape) !== String(shape)) return [`${name} has shape [${tensor.shape}], it must be [${shape}]`];
    if (!(tensor.data instanceof Float32Array)) return [`${name} does not hold floating-point numbers`];
    const least = kind === "statistic" && name.endsWith("var") ? 0 : -Infinity;
    const wrong = tensor.data.findIndex((value) => !(Number.isFinite(value) && value >= least));
    return wrong < 0 ? [] : [`${name} holds ${tensor.data[wrong]} at ${wrong}`];
  });

/** Reads a bundle and checks all of it. The error lists every problem of every network at once. */
export const readBundle = async (folder: string): Promise<Bundle> => {
  const manifest = await readManifest(folder);
  const problems: string[] = [];
  const weights = new Map<string, Weights>();
  for (const [cellType, { weights: file, sha256 }] of Object.entries(manifest.cellTypes)) {
    try {
      const bytes = await readRegularFile(join(folder, file), "invalid-model", `${file}, for ${cellType},`);
      const found = hashOf(bytes);
      if (found !== sha256) {
        problems.push(
          `${file} has SHA-256 ${found}, bundle.json says ${sha256}: one of them was changed or is cut off`,
        );
        continue;
      }
      const tensors = readSafetensors(bytes, file);
      const wrong = weightProblems(tensors, manifest.architecture);
      problems.push(...wrong.map((problem) => `${file}: ${problem}`));
      weights.set(cellType, pickWeights(tensors, manifest.architecture));
    } catch (thrown) {
      problems.push(PlatestreamError.from(thrown).rawMessage);
    }
  }
  if (problems.length > 0) throw invalid(listProblems(`bundle ${folder} cannot be used:`, problems));
  return { folder, manifest, version: bundleVersion(manifest), weights };
};

const pickWeights = (tensors: ReadonlyMap<string, { data: unknown }>, architecture: Architecture): Weights =>
  new Map(parameters(architecture).map(({ name }) => [name, tensors.get(name)?.data as Float32Array]));

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Writes a bundle: weights first, under names that the folder's present bundle does not use for others, `bundle.json`
 * last, each to a temporary file that is then renamed. So the folder holds the old bundle or the new one, whenever the
 * process ends.
 */
export const writeBundle = async (
  folder: string,
  manifest: NewManifest,
  weights: ReadonlyMap<string, Weights>,
): Promise<Manifest> => {
  checkManifest(folder, manifest);
  await makeFolder(folder);
  const old = await readManifest(folder).then(filesOf, () => new Map<string, string>());
  const taken = new Map(old);
  const cellTypes: Record<string, CellTypeEntry> = {};
  for (const [cellType, notes] of Object.entries(manifest.cellTypes)) {
    cellTypes[cellType] = await writeWeights(
      folder,
      cellType,
      notes,
      weights.get(cellType),
      manifest.architecture,
      taken,
    );
  }
  const created = new Date().toISOString();
  return replaceManifest(
    folder,
    { format: "platestream-bundle/1", copies: [], replicates: noReplicates, ...manifest, cellTypes, created },
    old,
  );
};

/** Before anything is written. */
const checkManifest = (folder: string, manifest: NewManifest): void => {
  const unknown = { weights: "weights", sha256: "0".repeat(64) };
  const entries = Object.entries(manifest.cellTypes).map(([cellType, notes]) => [cellType, { ...unknown, ...notes }]);
  const written = {
    format: "platestream-bundle/1",
    ...manifest,
    cellTypes: Object.fromEntries(entries),
    created: new Date().toISOString(),
  };
  parseManifest(written, `bundle ${folder}`);
};

/** Adds a network to a bundle, or replaces the one of that cell type. It must be of the bundle's architecture. */
export const addToBundle = async (
  folder: string,
  cellType: string,
  weights: Weights,
  notes: NetworkNotes,
): Promise<Manifest> => {
  const manifest = await readManifest(folder);
  const old = filesOf(manifest);
  const entry = await writeWeights(folder, cellType, notes, weights, manifest.architecture, new Map(old));
  return replaceManifest(folder, { ...manifest, cellTypes: { ...manifest.cellTypes, [cellType]: entry } }, old);
};

/** Says of some networks, by cell type, what their confidence means. Their weights stay as they are. */
export const setConfidence = async (folder: string, fits: ReadonlyMap<string, ConfidenceFit>): Promise<Manifest> => {
  const manifest = await readManifest(folder);
  const cellTypes = Object.fromEntries(
    Object.entries(manifest.cellTypes).map(([cellType, entry]) => {
      const confidence = fits.get(cellType);
      return [cellType, confidence === undefined ? entry : { ...entry, confidence }];
    }),
  );
  return replaceManifest(folder, { ...manifest, cellTypes }, filesOf(manifest));
};

/** Names of the files of weights, with their hashes. */
const filesOf = ({ cellTypes }: Manifest): Map<string, string> =>
  new Map(Object.values(cellTypes).map(({ weights, sha256 }) => [weights, sha256]));

const writeWeights = async (
  folder: string,
  cellType: string,
  notes: NetworkNotes,
  weights: Weights | undefined,
  architecture: Architecture,
  taken: Map<string, string>,
): Promise<CellTypeEntry> => {
  if (weights === undefined) throw invalid(`there are no weights for cell type "${cellType}"`);
  const tensors = new Map(
    parameters(architecture).flatMap(({ name, shape }) => {
      const data = weights.get(name);
      return data === undefined ? [] : [[name, { shape, data }] as const];
    }),
  );
  const sizes = parameters(architecture).flatMap(({ name, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const length = weights.get(name)?.length;
    return length === undefined || length === count ? [] : [`${name} has ${length} values, [${shape}] needs ${count}`];
  });
  const problems = [...sizes, ...weightProblems(tensors, architecture)];
  if (problems.length > 0) throw invalid(listProblems(`the weights for ${cellType} do not fit the network:`, problems));
  const bytes = writeSafetensors(tensors);
  const sha256 = hashOf(bytes);
  const name = cellType.replaceAll(/[^\w.-]/g, "_");
  const plain = `${name}.safetensors`;
  const other = (taken.get(plain) ?? sha256) !== sha256;
  const file = other ? `${name}-${sha256.slice(0, 12)}.safetensors` : plain;
  taken.set(file, sha256);
  await replaceFile(join(folder, file), bytes);
  return { weights: file, sha256, serving: sourceServing, confidence: unfitted, ...notes };
};

/** Lets the folder be another bundle, then removes the files that only the one before it named. */
const replaceManifest = async (
  folder: string,
  manifest: Manifest,
  old: ReadonlyMap<string, string>,
): Promise<Manifest> => {
  const checked = parseManifest(manifest, join(folder, "bundle.json"));
  await replaceFile(join(folder, "bundle.json"), `${JSON.stringify(checked, undefined, 2)}\n`);
  const named = filesOf(checked);
  await Promise.all(
    [...old.keys()].filter((file) => !named.has(file)).map((file) => rm(join(folder, file), { force: true })),
  );
  return checked;
};
