/** The terms in which a pipeline and its workers speak of inference: pixels in, statistics, predictions out. */
import { PlatestreamError } from "./errors.ts";
import type { ModelInfo } from "./model-info.ts";

/** The pixels of N images and how they become a network's input: pixel * scale + offset. */
export interface Images {
  /** [N, C, H, W], row-major */
  readonly pixels: Uint8Array | Uint16Array | Float32Array;
  readonly shape: readonly [images: number, channels: number, height: number, width: number];
  /** C values where all images have the same, N*C where not; empty: the model's own. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** Per image, position of its plate in the experiment from 0. Read by models with a plate input, and by no others. */
  readonly plates: readonly number[];
}

/** Which network of those that are there; what is left out may be any, as long as only one fits. */
export interface ModelChoice {
  /** Name of a bundle. */
  readonly name?: string | undefined;
  readonly cellType?: string | undefined;
}

/** Statistics that were estimated for a domain. */
export interface CalibratedStatistics {
  readonly kind: "calibrated";
  /** Content address. */
  readonly id: string;
  /** Safetensors. May be left out where the receiver has seen these statistics before. */
  readonly data?: Uint8Array;
}

/** Statistics that the BatchNorm layers normalise with: those of training, those of the batch itself, or a domain's. */
export type Statistics = { readonly kind: "running" } | { readonly kind: "batch" } | CalibratedStatistics;

/** What a calibration has made of one batch of `images` images, without the training statistics. */
export interface Estimate {
  readonly data: Uint8Array;
  readonly images: number;
}

export interface Prediction {
  readonly model: ModelInfo;
  /** `running`, `batch`, or the content address of calibrated statistics. */
  readonly statistics: string;
  /** [N, classes] */
  readonly logits: Float32Array;
  /** [N, features] */
  readonly features: Float32Array;
}

/** `running`, `batch`, or the content address of calibrated statistics. */
export const statisticsName = (statistics: Statistics): string =>
  statistics.kind === "calibrated" ? statistics.id : statistics.kind;

export const fits = (model: Pick<ModelInfo, "name" | "cellType">, { name, cellType }: ModelChoice): boolean =>
  (name === undefined || name === model.name) && (cellType === undefined || cellType === model.cellType);

/**
 * The one network that a choice means. `holder` has them, for instance `this worker`.
 *
 * @throws PlatestreamError `unknown-model` where none or several fit, with a list of those there are
 */
export const chosenModel = <M extends Pick<ModelInfo, "name" | "cellType">>(
  models: readonly M[],
  choice: ModelChoice,
  holder = "this worker",
): M => {
  const fitting = models.filter((model) => fits(model, choice));
  if (fitting.length === 1) return fitting[0]!;
  const list = models.map(({ name, cellType }) => `${name} ${cellType}`).join(", ");
  throw new PlatestreamError(
    "unknown-model",
    fitting.length === 0
      ? `${holder} holds no ${describeChoice(choice)}; it holds ${list}`
      : `${holder} holds more than one ${describeChoice(choice)}; name the one you mean: ${list}`,
  );
};

/** For instance `network "mine" for cell type "HUVEC"`. */
export const describeChoice = ({ name, cellType }: ModelChoice): string =>
  `network${name === undefined ? "" : ` "${name}"`}${cellType === undefined ? "" : ` for cell type "${cellType}"`}`;
