/** The steps from a network that is near chance on a new experiment to calls that are nearly all right. */
import type { Strategy } from "../pipeline/stage/items.ts";
import type { stages } from "../stages/built-in.ts";

/** `stage.option=value`, of a stage that there is. */
type Setting = `${keyof typeof stages}.${string}=${string}`;

/** One way to run the chain, as settings laid over the usual one. Several rungs may read off the same pass. */
export const passes = {
  running: ["infer.statistics=running"],
  batch: ["infer.statistics=batch", "batch-by-experiment.size=8"],
  bagging: ["infer.statistics=batch", "batch-by-experiment.size=[8,12,16,24,32]", "batch-by-experiment.rounds=2"],
  "calibrated-experiment": ["infer.statistics=calibrated", "batch-by-experiment.within=experiment"],
  "calibrated-plate": ["infer.statistics=calibrated", "batch-by-experiment.within=plate"],
  "one-site": ["infer.statistics=calibrated", "aggregate-sites.sites=[1]"],
  served: ["infer.statistics=calibrated"],
} as const satisfies Record<string, readonly Setting[]>;
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
  rung("once", "+ every class once per experiment", "served", "once-per-experiment"),
  rung("balanced", "the most probable class given the design, classes may repeat", "served", "balanced"),
  rung("groups", "+ groups of classes per plate", "served", "plate-groups"),
  rung("before-mixup", "calibrated as the bundle says, before MixUp", "served", "argmax", "before"),
  rung("before-mixup-groups", "+ groups of classes per plate, before MixUp", "served", "plate-groups", "before"),
];
