import type { ConfidenceFit } from "./assignment/confidence.ts";
import type { Replicates } from "./assignment/replicates.ts";
import type { Serving } from "./serving.ts";

/** One network that a worker holds. */
export interface ModelInfo {
  readonly name: string;
  /** Hash of weights and manifest. */
  readonly version: string;
  readonly cellType: string;
  readonly trained: boolean;
  /** Class names in the order of the logits. */
  readonly classes: readonly string[];
  /** Indices of the classes that are controls. */
  readonly controls: readonly number[];
  /** Groups of class indices that occur together on one plate; empty where none were learnt. */
  readonly plateGroups: readonly (readonly number[])[];
  readonly channels: number;
  /** Names of the channels in the order of the input; empty where the bundle does not know them. */
  readonly channelNames: readonly string[];
  readonly height: number;
  readonly width: number;
  /** Length of the plate one-hot input, 0 for none. */
  readonly plates: number;
  readonly featureCount: number;
  /** How it was trained and validated, and is served unless configured otherwise. */
  readonly serving: Serving;
  /** What turns balanced probabilities into the confidence of calls. */
  readonly confidence: ConfidenceFit;
  /** Per class, wells of an experiment that hold it at most; beyond the end: one. */
  readonly copies: readonly number[];
  /** Which wells hold one treatment by the layout. */
  readonly replicates: Replicates;
}
