/** Numbers as people read them, and the function that turns logits into probabilities. */

/** Exact to rounding for any logit: the exponential overflows to Infinity only where the result is 0. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Bytes as people read them: `34 KiB`, `2.0 MiB`. */
export const byteSize = (bytes: number): string =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 2 ** 10)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Shares that add up to 1 and grow with the logits (the softmax function). */
export const softmax = (logits: Float32Array): Float32Array => {
  const most = logits.reduce((best, logit) => Math.max(best, logit), -Infinity);
  const shares = logits.map((logit) => Math.exp(logit - most));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / sum);
};
