/** Adam (Kingma and Ba 2015) with the AMSGrad correction (Reddi et al. 2018) as an option; formulas as in PyTorch. */
export interface AdamOptions {
  readonly amsgrad: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const adamDefaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

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
  { beta1, beta2, epsilon, amsgrad }: AdamOptions,
): void => {
  state.steps += 1;
  const { first, second, largest } = state;
  const stepSize = rate / (1 - beta1 ** state.steps);
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
      weights[at] = weights[at]! - (stepSize * m) / (Math.sqrt(spread) / correction + epsilon);
    }
  }
};
