/** The built-in stages, by name, in the order of the usual chain. */
import { aggregateSites } from "./aggregate-sites.ts";
import { batchByExperiment } from "./batch-by-experiment.ts";
import { decode } from "./decode.ts";
import { infer } from "./infer.ts";
import { normalize } from "./normalize.ts";
import { plateAssign } from "./plate-assign.ts";

export const stages = {
  decode,
  normalize,
  "batch-by-experiment": batchByExperiment,
  infer,
  "aggregate-sites": aggregateSites,
  "plate-assign": plateAssign,
} as const;

/** The chain of a run that names none. */
export const usualChain: readonly string[] = Object.keys(stages);
