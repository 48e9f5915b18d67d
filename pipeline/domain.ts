/** The things that flow through a pipeline, in the order in which the built-in stages make them. */
import type { ModelInfo } from "../proto/model-info.ts";

export type { ModelInfo } from "../proto/model-info.ts";

export type WellType = "treatment" | "positive_control" | "negative_control";

/** One channel of one image: a file, and which of the file's bands (0 in a single-channel file). */
export interface ImageLocation {
  readonly path: string;
  readonly band: number;
}

/** One field of view of one well. */
export interface Site {
  readonly experiment: string;
  readonly cellType: string;
  /** "1" to "4" in RxRx1, a barcode elsewhere. */
  readonly plate: string;
  /** Row letters and a two-digit column, as in "B03". */
  readonly well: string;
  readonly site: number;
  readonly wellType: WellType;
  /** Class of the well, where it is known: in RxRx1 the number of the siRNA as text, "0" to "1138". */
  readonly sirna?: string;
  /** One location per channel, in the order of the channels. */
  readonly images: readonly ImageLocation[];
  /** Further columns of the dataset's table, without their `Metadata_` prefix. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** One run of a few plates: the unit of work. */
export interface Experiment {
  readonly id: string;
  readonly cellType: string;
  readonly plates: readonly string[];
  readonly sites: readonly Site[];
}

/** Share of a run's memory that an item's pixels hold. Given back once, by whoever is done with the pixels. */
export interface Lease {
  readonly bytes: number;
  /** One more owner: the memory is given back when all owners have released it. */
  retain(): void;
  release(): void;
}

/** Per channel: network input = pixel * scale + offset. */
export interface Affine {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** A site with its pixels, row-major [channels, height, width]. */
export interface SiteImage {
  readonly site: Site;
  readonly pixels: Uint8Array | Uint16Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Unset until `normalize`; the model's own applies where it stays unset. */
  readonly affine?: Affine;
  readonly lease: Lease;
}

/** Images of one domain that a network reads together. */
export interface Batch {
  /** What the images have in common: `plate 3`, or `experiment HUVEC-01`. */
  readonly domain: string;
  readonly round: number;
  readonly index: number;
  readonly images: readonly SiteImage[];
}

/** What the network says of one site in one round. */
export interface SitePrediction {
  readonly site: Site;
  readonly round: number;
  /** [classes] */
  readonly logits: Float32Array;
  /** [features] */
  readonly features: Float32Array;
  readonly model: ModelInfo;
  /** `running`, `batch`, or the content address of calibrated statistics. */
  readonly statistics: string;
}

/** What the sites of one well say together. */
export interface WellPrediction {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly wellType: WellType;
  readonly sirna?: string;
  /** [classes], mean of the sigmoid outputs. */
  readonly probabilities: Float32Array;
  /** [features], mean. */
  readonly features: Float32Array;
  readonly sites: readonly number[];
  readonly rounds: number;
  readonly model: ModelInfo;
  readonly statistics: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export const strategies = ["argmax", "once-per-experiment", "plate-groups"] as const;
export type Strategy = (typeof strategies)[number];

/**
 * `control`: the well is a control and was left out of the assignment. `sites-missing`: fewer sites than the dataset
 * lists. `fallback`: plate groups were asked for and not certain enough. `untrained`: the model was never trained.
 */
export type CallFlag = "control" | "sites-missing" | "fallback" | "untrained";

/** The answer for one well. */
export interface Call {
  readonly prediction: WellPrediction;
  /** Class called. */
  readonly sirna: string;
  /** Probability of that class. */
  readonly probability: number;
  /** Probability of the called class minus that of the best other class that the strategy left open to the well. */
  readonly margin: number;
  /** Most probable classes, best first, whatever the strategy. */
  readonly alternatives: readonly { readonly sirna: string; readonly probability: number }[];
  /** Index of the group of classes that the plate holds, where plate groups decided. */
  readonly plateGroup?: number;
  readonly strategy: Strategy;
  /** What each strategy would have called; treatment wells only. */
  readonly byStrategy: Readonly<Partial<Record<Strategy, string>>>;
  readonly flags: readonly CallFlag[];
}
