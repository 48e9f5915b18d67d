/** The built-in stages, by name, in the order of the usual chain. */
import { aggregateSites } from "./aggregate-sites.ts";
import { batchByExperiment } from "./batch-by-experiment.ts";
import { decode } from "./decode.ts";
import { illumination } from "./illumination.ts";
import { infer } from "./infer.ts";
import { normalize } from "./normalize.ts";
import { plateAssign } from "./plate-assign.ts";

const chain = {
  decode,
  normalize,
  "batch-by-experiment": batchByExperiment,
  infer,
  "aggregate-sites": aggregateSites,
  "plate-assign": plateAssign,
} as const;

/** Those of the usual chain, and others that a configuration may name. */
export const stages = { ...chain, illumination } as const;

/** The chain of a run that names none. */
export const usualChain: readonly string[] = Object.keys(chain);
