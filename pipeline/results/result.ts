import type { Experiment, Site } from "../../screen/experiment.ts";
import type { Call } from "../stage/items.ts";
import type { Inputs } from "./inputs.ts";

/** A site that went no further, and why. */
export interface LeftOut {
  readonly stage: string;
  readonly site: Site;
  readonly reason: string;
}

/** All that a run found out about one experiment. */
export interface ExperimentResult {
  readonly experiment: Experiment;
  /** One per well that could be called, controls included. Wells without a call are those of the experiment that are missing here. */
  readonly calls: readonly Call[];
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
  readonly attempts: number;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly seconds: number;
  /** Sites predicted. */
  readonly images: number;
  /** What the calls rest on, as it was before the first image was read. */
  readonly inputs?: Inputs;
}

/** An experiment that failed, after all its attempts. */
export interface ExperimentFailure {
  readonly experiment: string;
  readonly cellType: string;
  readonly attempts: number;
  readonly code: string;
  /** Names plugin, stage, experiment and, where known, item. */
  readonly reason: string;
}
