/** Weights from elsewhere, by torchvision's names: what may differ from our network, and how it is bridged. */
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import type { StoredTensor } from "../../common/safetensors.ts";
import {
  type Architecture,
  type Parameter,
  parameters,
  type Variant,
  variants,
  type Weights,
} from "../network/architecture.ts";
import { initialiser } from "../network/initialise.ts";
import { weightProblems } from "./bundle.ts";

type Tensors = ReadonlyMap<string, StoredTensor>;

export interface ImportOptions {
  /** Start a fresh classifier instead of reading the file's. */
  readonly newHead: boolean;
  /** Of that classifier. */
  readonly seed: number;
}

export interface ImportedWeights {
  readonly weights: Weights;
  /** What was not taken as it is, in sentences. */
  readonly notes: readonly string[];
}

/** `denselayer1.norm.1.weight`, as torchvision named it before 0.3. */
const oldName = /(denselayer\d+\.(?:norm|conv))\.([12]\.)/;

/**
 * Puts tensors under the network's names: without the `module.` of a data-parallel wrapper, in torchvision's present
 * spelling, without the counters of batches that PyTorch keeps.
 */
const networkNames = (tensors: Tensors): Tensors =>
  new Map(
    [...tensors]
      .filter(([name]) => !name.endsWith(".num_batches_tracked"))
      .map(([name, tensor]) => [name.replace(/^module\./, "").replace(oldName, "$1$2"), tensor]),
  );

/** The named variant that has as many dense layers per block as the tensors. */
const variantOf = (tensors: Tensors): Variant | undefined => {
  const layers = new Map<string, Set<string>>();
  for (const name of networkNames(tensors).keys()) {
    const [, block, layer] = /^features\.denseblock(\d+)\.denselayer(\d+)\./.exec(name) ?? [];
    if (block !== undefined) layers.set(block, (layers.get(block) ?? new Set()).add(layer!));
  }
  const found = String([...layers].sort(([a], [b]) => Number(a) - Number(b)).map(([, { size }]) => size));
  return (Object.keys(variants) as Variant[]).find((name) => String(variants[name].blocks) === found);
};

/** Rows of the classifier, where the tensors have one. */
export const classCount = (tensors: Tensors): number | undefined =>
  networkNames(tensors).get("classifier.weight")?.shape[0];

/**
 * Makes the weights of a network from tensors by torchvision's names. Bridged, and reported in `notes`:
 * - no `bn`: the BatchNorm over the raw channels becomes the identity;
 * - no `features.conv0.bias`: zeros;
 * - a `features.conv0` for 3 channels: channel c reads the filters of colour c mod 3, times 3/C. With 6 channels, an image
 *   whose channels are equal gives what it gave before, so that the layers behind see values of the size that they were
 *   trained for. The method is timm's (`adapt_input_conv`, which its `in_chans` uses).
 * The classifier is replaced only when asked for. Throws "invalid-model" with everything that is missing, misshapen or
 * unknown; `source` names the file.
 */
export const importWeights = (
  given: Tensors,
  architecture: Architecture,
  { newHead, seed }: ImportOptions,
  source: string,
): ImportedWeights => {
  const tensors = new Map(networkNames(given));
  const fresh = initialiser(seed);
  const all = parameters(architecture);
  const notes: string[] = [];
  const make = (which: (parameter: Parameter) => boolean): void => {
    for (const parameter of all.filter(which)) {
      tensors.set(parameter.name, { shape: parameter.shape, data: fresh(parameter) });
    }
  };

  if (![...tensors.keys()].some((name) => name.startsWith("bn."))) {
    make(({ name }) => name.startsWith("bn."));
    notes.push("bn, the BatchNorm over the raw channels, was not there: it starts as the identity");
  }
  if (!tensors.has("features.conv0.bias")) {
    make(({ name }) => name === "features.conv0.bias");
    notes.push("features.conv0.bias was not there: it starts at zero");
  }
  const conv0 = tensors.get("features.conv0.weight");
  if (conv0?.shape[1] === 3 && architecture.channels !== 3 && conv0.data instanceof Float32Array) {
    tensors.set("features.conv0.weight", spreadColours(conv0.shape, conv0.data, architecture.channels));
    notes.push(
      `features.conv0 read 3 channels: each of the ${architecture.channels} reads the filters of red, green or blue in turn, times 3/${architecture.channels}`,
    );
  }
  if (newHead) {
    make(({ name }) => name.startsWith("classifier."));
    notes.push(`the classifier starts anew, with ${architecture.classes} classes`);
  }

  const known = new Set(all.map(({ name }) => name));
  const unknown = [...tensors.keys()].filter((name) => !known.has(name)).map((name) => `${name} is not part of it`);
  const problems = [...weightProblems(tensors, architecture), ...unknown];
  if (problems.length > 0) throw misfit(problems, given, architecture, source);
  return { weights: new Map(all.map(({ name }) => [name, tensors.get(name)!.data as Float32Array])), notes };
};

/** [outputs, 3, k, k] -> [outputs, channels, k, k] */
const spreadColours = (shape: readonly number[], filters: Float32Array, channels: number): StoredTensor => {
  const [outputs, colours, height, width] = shape as [number, 3, number, number];
  const size = height * width;
  const spread = new Float32Array(outputs * channels * size);
  for (let output = 0; output < outputs; output++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (output * colours + (channel % colours)) * size;
      const to = (output * channels + channel) * size;
      for (let at = 0; at < size; at++) spread[to + at] = (filters[from + at]! * colours) / channels;
    }
  }
  return { shape: [outputs, channels, height, width], data: spread };
};

const misfit = (
  problems: readonly string[],
  tensors: Tensors,
  { blocks, channels }: Architecture,
  source: string,
): PlatestreamError => {
  const variant = variantOf(tensors);
  const other = variant !== undefined && String(variants[variant].blocks) !== String(blocks);
  const read = networkNames(tensors).get("features.conv0.weight")?.shape[1];
  const advice = [
    ...(problems.every((problem) => problem.startsWith("classifier."))
      ? ["--new-head starts a classifier of its own"]
      : []),
    ...(other ? [`by its dense layers it is a ${variant}`] : []),
    ...(read !== undefined && read !== channels
      ? [`its first convolution reads ${read} channels, which --channels ${read} takes as it is`]
      : []),
  ];
  const heading = `${source} does not hold the weights of this network${advice.length > 0 ? ` (${advice.join("; ")})` : ""}:`;
  return new PlatestreamError("invalid-model", listProblems(heading, problems));
};
