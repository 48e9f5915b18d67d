/**
 * What `pipeline evaluate` compares: conditions under which a chain can read an experiment. A stage says by which of its
 * options it meets a condition, so a stage that takes the place of a built-in one can be scored on the same ladder.
 */
export const conditions = {
  "training-statistics": "normalise with the statistics of training",
  "batch-statistics": "normalise with each batch's own statistics",
  "calibrated-statistics": "normalise with statistics estimated once per domain",
  "small-batches": "make batches of 8 images",
  "many-batchings": "read every image in batches of many sizes, more than once",
  "experiment-domain": "take an experiment for a domain",
  "plate-domain": "take a plate for a domain",
  "one-site": "use one site per well",
} as const;
export type Condition = keyof typeof conditions;

/** Options of a stage, by the condition that they meet. */
export type OptionsByCondition<Options> = { readonly [C in Condition]?: Partial<Options> };
