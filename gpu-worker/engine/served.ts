/** The networks that an engine serves, and how a request names one. */
import { PlatestreamError } from "../../common/errors.ts";
import { chosenModel, type ModelChoice } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { type PackedStatistics, packStatistics } from "../../common/norm-statistics.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { featureCount, type Network, normLayers, type Weights } from "../network/architecture.ts";

export interface Served {
  readonly model: ModelInfo;
  readonly network: Network;
  /** Position among all. */
  readonly index: number;
  /** The statistics stored in training. */
  readonly running: PackedStatistics;
  /** Per channel; applies to images that bring none of their own. */
  readonly input: { readonly scale: readonly number[]; readonly offset: readonly number[] };
}

/** Copies weights to memory that threads share. */
const share = (weights: Weights): Weights =>
  new Map(
    [...weights].map(([name, values]) => {
      const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
      shared.set(values);
      return [name, shared as Float32Array];
    }),
  );

/** One network per cell type of every bundle. */
export const serve = (bundles: readonly Bundle[]): Served[] => {
  const names = bundles.map(({ manifest }) => manifest.name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    const folders = bundles.filter(({ manifest }) => manifest.name === twice).map(({ folder }) => folder);
    throw new PlatestreamError(
      "invalid-model",
      `a worker's bundles have different names; ${folders.join(" and ")} are both called "${twice}": change "name" in one bundle.json`,
    );
  }
  return bundles.flatMap(servedBy).map((served, index) => ({ ...served, index }));
};

const servedBy = ({ manifest, version, weights }: Bundle): Omit<Served, "index">[] => {
  const { architecture, input, cellTypes } = manifest;
  const perChannel = (value: number | readonly number[]): readonly number[] =>
    typeof value === "number" ? new Array<number>(architecture.channels).fill(value) : value;
  return Object.entries(cellTypes).map(([cellType, { trained, serving, confidence }]) => ({
    model: {
      name: manifest.name,
      version,
      cellType,
      trained,
      classes: manifest.classes,
      controls: manifest.controls,
      plateGroups: manifest.plateGroups,
      channels: architecture.channels,
      channelNames: manifest.channelNames,
      height: architecture.height,
      width: architecture.width,
      plates: architecture.plates,
      featureCount: featureCount(architecture),
      serving,
      confidence,
      copies: manifest.copies,
      replicates: manifest.replicates,
    },
    network: { architecture, weights: share(weights.get(cellType)!) },
    running: packStatistics(normLayers(architecture), weights.get(cellType)!),
    input: { scale: perChannel(input.scale), offset: perChannel(input.offset) },
  }));
};

/** The network that a request means. Throws "unknown-model", with a list of those there are. */
export const choose = (served: readonly Served[], choice: ModelChoice): Served => {
  const model = chosenModel(
    served.map((each) => each.model),
    choice,
  );
  return served.find((each) => each.model === model)!;
};
