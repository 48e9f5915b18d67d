/** A share of wells called right, and how far the share of all experiments of the kind, or of all wells, may lie from it. */
export interface Estimate {
  /** Over experiments. */
  readonly mean: number;
  /** 95 % confidence interval. */
  readonly low: number;
  readonly high: number;
  /** What was drawn independently: experiments, where there are three or more; else the wells of the few that there are. */
  readonly over: "experiments" | "wells";
  /** How many of those. */
  readonly n: number;
}

/** Wells of one experiment. */
export interface Counted {
  readonly n: number;
  readonly correct: number;
}

/** 97.5 % quantiles of Student's t by degrees of freedom, from 2. */
const quantiles = [
  4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
  2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * Student's t interval over experiments, which are the independent draws; of fewer than three it knows nothing, and
 * Wilson's interval over wells is at least honest about how little so few wells show of these experiments.
 */
export const estimate = (experiments: readonly Counted[]): Estimate => {
  const shares = experiments.map(({ n, correct }) => correct / n);
  const n = shares.length;
  const mean = shares.reduce((sum, share) => sum + share, 0) / n;
  if (n < 3) return { mean, ...wilson(experiments), over: "wells" };
  const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (n - 1);
  const margin = quantiles[Math.min(n - 2, quantiles.length) - 1]! * Math.sqrt(variance / n);
  return { mean, low: mean - margin, high: mean + margin, over: "experiments", n };
};

/** Wilson 1927; the wells of all experiments together. */
export const wilson = (counts: readonly Counted[]): { low: number; high: number; n: number } => {
  const n = counts.reduce((sum, each) => sum + each.n, 0);
  const share = counts.reduce((sum, each) => sum + each.correct, 0) / n;
  const z = 1.96;
  const centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const margin = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return { low: Math.max(0, centre - margin), high: Math.min(1, centre + margin), n };
};

/** `0.712 ± 0.041` over experiments, `0.600 (0.47 to 0.72)` over wells. */
export const showEstimate = ({ mean, low, high, over }: Estimate): string =>
  over === "experiments"
    ? `${mean.toFixed(3)} ± ${(high - mean).toFixed(3)}`
    : `${mean.toFixed(3)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
