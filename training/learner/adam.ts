/** Adam (Kingma and Ba 2015) with the AMSGrad correction (Reddi et al. 2018) as an option; formulas as in PyTorch. */
export interface AdamOptions {
  readonly amsgrad: boolean;
  /** Decoupled weight decay, times the rate (Loshchilov and Hutter 2019). */
  readonly weightDecay: number;
  /** RAdam (Liu et al. 2020): plain momentum until the second moments can be trusted. */
  readonly rectified: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const adamDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, rectified: false } as const;

/** The optimiser's memory of some parameters; the arrays have one number per parameter. */
export interface AdamState {
  /** Updates made. */
  steps: number;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Largest second moment so far; empty without AMSGrad. */
  readonly largest: Float32Array;
}

export const adamState = (length: number, { amsgrad }: Pick<AdamOptions, "amsgrad">): AdamState => ({
  steps: 0,
  first: new Float32Array(length),
  second: new Float32Array(length),
  largest: new Float32Array(amsgrad ? length : 0),
});

/** Factor on an adaptive step; undefined while its variance has no bound. */
const rectification = (steps: number, beta2: number): number | undefined => {
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * steps * beta2 ** steps) / (1 - beta2 ** steps);
  if (length <= 5) return undefined;
  return Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
};

/** Where a run of learning parameters lies among all weights. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Moves the weights against the gradient. The gradient and the state hold the spans one after the other. */
export const adamUpdate = (
  weights: Float32Array,
  gradient: Float32Array,
  state: AdamState,
  spans: readonly Span[],
  rate: number,
  { beta1, beta2, epsilon, amsgrad, weightDecay, rectified }: AdamOptions,
): void => {
  state.steps += 1;
  const { first, second, largest } = state;
  const factor = rectified ? rectification(state.steps, beta2) : 1;
  const stepSize = (rate * (factor === undefined ? 1 : factor)) / (1 - beta1 ** state.steps);
  const kept = 1 - rate * weightDecay;
  const correction = Math.sqrt(1 - beta2 ** state.steps);
  let i = 0;
  for (const { offset, length } of spans) {
    for (let at = offset; at < offset + length; at++, i++) {
      const slope = gradient[i]!;
      const m = beta1 * first[i]! + (1 - beta1) * slope;
      const v = beta2 * second[i]! + (1 - beta2) * slope * slope;
      first[i] = m;
      second[i] = v;
      let spread = v;
      if (amsgrad) {
        spread = Math.max(v, largest[i]!);
        largest[i] = spread;
      }
      const size = factor === undefined ? 1 : Math.sqrt(spread) / correction + epsilon;
      weights[at] = kept * weights[at]! - (stepSize * m) / size;
    }
  }
};
