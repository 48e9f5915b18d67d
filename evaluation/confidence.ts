/** A mean over experiments, and how far the mean over all experiments of the kind may lie from it. */
export interface Estimate {
  readonly mean: number;
  /** Half the width of the 95 % confidence interval; undefined for fewer than three: Student's t then knows nothing. */
  readonly margin: number | undefined;
  readonly n: number;
}

/** 97.5 % quantiles of Student's t by degrees of freedom, from 2. */
const quantiles = [
  4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
  2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Student's t interval: experiments, not wells, are the independent draws. */
export const estimate = (values: readonly number[]): Estimate => {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 3) return { mean, margin: undefined, n };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const quantile = quantiles[Math.min(n - 2, quantiles.length) - 1]!;
  return { mean, margin: quantile * Math.sqrt(variance / n), n };
};

/** `0.712 ± 0.041` */
export const showEstimate = ({ mean, margin }: Estimate): string =>
  margin === undefined ? mean.toFixed(3) : `${mean.toFixed(3)} ± ${margin.toFixed(3)}`;
