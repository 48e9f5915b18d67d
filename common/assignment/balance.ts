/**
 * How probable each class is in each well, given that every well holds one class and every class occurs as often as the
 * plates' design says: the network's beliefs, balanced by Sinkhorn's iteration (Sinkhorn and Knopp 1967).
 */

export interface Design {
  /** Per well, the classes that it may hold. */
  readonly open: readonly (readonly number[])[];
  /** Per class how often it may occur; classes beyond the end occur once. */
  readonly copies?: readonly number[] | undefined;
}

const mostIterations = 200;
/** No row's sum changes by more: what is left moves no probability by as much as a thousandth. */
const converged = 1e-4;
/** Of a class that is open to a well, so that balancing can move every well. */
const least = 1e-12;

/**
 * [wells][classes]; rows add up to 1, columns to the number of copies at most: what more classes than wells leave over
 * goes to wells that are not there. `evidence` is in logits; a temperature above 1 takes the network less at its word.
 */
export const balance = (
  evidence: readonly Float64Array[],
  { open, copies = [] }: Design,
  temperature: number,
): Float64Array[] => {
  const wells = evidence.map((row, w) => shares(row, open[w]!, temperature));
  const width = evidence[0]?.length ?? 0;
  const classes = [...new Set(open.flat())];
  const capacity = capacities(classes, copies, width, wells.length);
  const missing = capacity.reduce((sum, each) => sum + each, 0) - wells.length;
  // Wells that are not there may hold anything: one row with the weight of all of them.
  const rest = new Float64Array(width);
  for (const k of classes) rest[k] = Math.max(missing, 0) / classes.length;
  const factor = new Float64Array(width);
  for (let i = 0, change = 1; i < mostIterations && change > converged; i++) {
    factor.set(rest);
    for (const [w, row] of wells.entries()) for (const k of open[w]!) factor[k]! += row[k]!;
    for (const k of classes) factor[k] = capacity[k]! / Math.max(factor[k]!, least);
    change = 0;
    for (const [w, row] of wells.entries()) change = Math.max(change, Math.abs(scale(row, open[w]!, factor, 1) - 1));
    if (missing > 1e-9) scale(rest, classes, factor, missing);
  }
  return wells;
};

/** Copies of every class; all of them raised alike where there are more wells than copies. */
const capacities = (classes: readonly number[], copies: readonly number[], width: number, wells: number) => {
  const capacity = new Float64Array(width);
  for (const k of classes) capacity[k] = copies[k] === undefined ? 1 : copies[k];
  const total = capacity.reduce((sum, each) => sum + each, 0);
  return capacity.map((each) => each * Math.max(1, wells / Math.max(total, 1)));
};

/** Softmax over the open classes at a temperature: what the network says of the well alone. */
export const shares = (evidence: Float64Array, open: readonly number[], temperature: number): Float64Array => {
  const top = open.reduce((max, k) => Math.max(max, evidence[k]!), -Infinity);
  const row = new Float64Array(evidence.length);
  let sum = 0;
  for (const k of open) {
    row[k] = Math.max(Math.exp((evidence[k]! - top) / temperature), least);
    sum += row[k]!;
  }
  for (const k of open) row[k]! /= sum;
  return row;
};

/** Multiplies class by class, then brings the sum back to `total`; returns what the sum was. */
const scale = (row: Float64Array, open: readonly number[], factor: Float64Array, total: number): number => {
  let sum = 0;
  for (const k of open) {
    row[k]! *= factor[k]!;
    sum += row[k]!;
  }
  for (const k of open) row[k]! *= total / sum;
  return sum / total;
};
