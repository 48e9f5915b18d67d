/** The steps from a network that is near chance on a new experiment to calls that are nearly all right. */
import type { Condition } from "../pipeline/stage/conditions.ts";
import type { Strategy } from "../pipeline/stage/items.ts";

/** One way to run the chain: the conditions that its stages are to meet. Several rungs may read off the same pass. */
export const passes = {
  running: ["training-statistics"],
  batch: ["batch-statistics", "small-batches"],
  bagging: ["batch-statistics", "many-batchings"],
  "calibrated-experiment": ["calibrated-statistics", "experiment-domain"],
  "calibrated-plate": ["calibrated-statistics", "plate-domain"],
  "one-site": ["calibrated-statistics", "one-site"],
  served: ["calibrated-statistics"],
} as const satisfies Record<string, readonly Condition[]>;
export type Pass = keyof typeof passes;

export interface Rung {
  readonly name: string;
  /** `{sites}` stands for the number of sites that a well has. */
  readonly label: string;
  readonly pass: Pass;
  readonly strategy: Strategy;
  /** `before`: the bundle as it was before the MixUp finetune. */
  readonly bundle: "model" | "before";
}

const rung = (name: string, label: string, pass: Pass, strategy: Strategy, bundle: Rung["bundle"] = "model"): Rung => ({
  name,
  label,
  pass,
  strategy,
  bundle,
});

/** In the order of the source's own table, bottom first. */
export const rungs: readonly Rung[] = [
  rung("running", "training statistics", "running", "argmax"),
  rung("batch", "each batch's own statistics, one round", "batch", "argmax"),
  rung("bagging", "each batch's own, many sizes and rounds averaged", "bagging", "argmax"),
  rung("calibrated-experiment", "calibrated on the experiment, {sites}", "calibrated-experiment", "argmax"),
  rung("calibrated-plate", "calibrated on the plate, {sites}", "calibrated-plate", "argmax"),
  rung("one-site", "calibrated as the bundle says, 1 site", "one-site", "argmax"),
  rung("served", "calibrated as the bundle says, {sites}", "served", "argmax"),
  rung("once", "+ each treatment once per experiment", "served", "once-per-experiment"),
  rung("balanced", "the most probable class given the design, classes may repeat", "served", "balanced"),
  rung("groups", "+ groups of classes per plate", "served", "plate-groups"),
  rung("before-mixup", "calibrated as the bundle says, before MixUp", "served", "argmax", "before"),
  rung("before-mixup-groups", "+ groups of classes per plate, before MixUp", "served", "plate-groups", "before"),
];
