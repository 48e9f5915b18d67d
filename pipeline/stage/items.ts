/** The things that flow through a pipeline after its images, in the order in which the built-in stages make them. */
import type { ModelInfo } from "../../common/model-info.ts";
import type { Site, WellType } from "../../screen/experiment.ts";
import type { SiteImage } from "../../screen/site-image.ts";

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
  readonly treatment?: string;
  /** [classes], mean of the sigmoid outputs, or softmax of the mean logits, as the network is served. */
  readonly probabilities: Float32Array;
  /** [features], mean. */
  readonly features: Float32Array;
  readonly sites: readonly number[];
  readonly rounds: number;
  /** What each of the sites says alone; absent where the stage that made this does not say. */
  readonly votes?: readonly SiteVote[];
  readonly model: ModelInfo;
  readonly statistics: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The most probable class of one site, and its probability. */
export interface SiteVote {
  readonly site: number;
  readonly treatment: string;
  readonly probability: number;
}

/** `balanced`: the most probable class once the plates' design is known; classes may repeat. */
export const strategies = ["argmax", "once-per-experiment", "balanced", "plate-groups"] as const;
export type Strategy = (typeof strategies)[number];

/**
 * `open`: the call is less certain than was asked for, and counts as none. `control`: the well is a control and was left out of the assignment. `sites-missing`: fewer sites than the dataset
 * lists. `fallback`: plate groups were asked for and not certain enough. `untrained`: the model was never trained.
 */
export type CallFlag = "open" | "control" | "sites-missing" | "fallback" | "untrained";

/** The answer for one well. */
export interface Call {
  readonly prediction: WellPrediction;
  /** Class called. */
  readonly treatment: string;
  /** The network's own score of that class, a sigmoid or softmax output, whatever the plates' design; how often such calls are right is `confidence`. */
  readonly probability: number;
  /** Probability that the call is right, given the design of all plates; absent where a stage of your own does not say. */
  readonly confidence?: number;
  /** Probability of the called class minus that of the best other class that the strategy left open to the well. */
  readonly margin: number;
  /** Most probable classes, best first, whatever the strategy. */
  readonly alternatives: readonly { readonly treatment: string; readonly probability: number }[];
  /** Wells that were called together because the layout says that they hold one treatment, this one included; absent: it alone. */
  readonly replicates?: number;
  /** Index of the group of classes that the plate holds, where plate groups decided. */
  readonly plateGroup?: number;
  readonly strategy: Strategy;
  /** What each strategy would have called; treatment wells only. */
  readonly byStrategy: Readonly<Partial<Record<Strategy, string>>>;
  readonly flags: readonly CallFlag[];
}
