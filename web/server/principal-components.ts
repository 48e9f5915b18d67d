/** Principal components of a table, a slice of work at a time: the thread has other things to do meanwhile. */
import { setImmediate as yieldToOthers } from "node:timers/promises";

export interface Components {
  /** [rows, count] */
  readonly scores: Float32Array;
  /** Share of the variance, [count]. */
  readonly explained: number[];
}

/** Rows that the axes are found from; all rows are placed on them. */
const mostRows = 5_000;
const rounds = 40;
const sliceMs = 15;

/**
 * The first `count` components of `values` [rows, length] around `mean`, by orthogonal iteration on the covariance
 * (Golub and Van Loan, Matrix Computations, 8.2.4). The sign of an axis is the one that makes its largest weight positive.
 */
export const principalComponents = async (
  values: Float32Array,
  length: number,
  mean: Float64Array,
  count: number,
): Promise<Components> => {
  const rows = values.length / length;
  const covariance = await covarianceOf(values, length, mean, rows);
  let axes = Float64Array.from({ length: length * count }, (_, i) => Math.sin(1 + i * 12.9898) % 1);
  orthonormalise(axes, length, count);
  for (let round = 0; round < rounds; round++) {
    axes = multiply(covariance, axes, length, count);
    orthonormalise(axes, length, count);
    await yieldToOthers();
  }
  pointUp(axes, length, count);
  const along = multiply(covariance, axes, length, count);
  let total = 0;
  for (let f = 0; f < length; f++) total += covariance[f * length + f]!;
  const explained = Array.from({ length: count }, (_, c) => {
    let variance = 0;
    for (let f = 0; f < length; f++) variance += axes[f * count + c]! * along[f * count + c]!;
    return total === 0 ? 0 : variance / total;
  });
  return { scores: await project(values, length, mean, axes, count, rows), explained };
};

const covarianceOf = async (values: Float32Array, length: number, mean: Float64Array, rows: number) => {
  const covariance = new Float64Array(length * length);
  const step = Math.max(1, rows / mostRows);
  const used = Math.floor(rows / step);
  const own = new Float64Array(length);
  const breathe = breather();
  for (let n = 0; n < used; n++) {
    const row = Math.floor(n * step) * length;
    for (let f = 0; f < length; f++) own[f] = values[row + f]! - mean[f]!;
    for (let f = 0; f < length; f++) {
      const value = own[f]!;
      const at = f * length;
      for (let g = f; g < length; g++) covariance[at + g]! += value * own[g]!;
    }
    await breathe();
  }
  for (let f = 0; f < length; f++) {
    for (let g = 0; g < f; g++) covariance[f * length + g] = covariance[g * length + f]!;
  }
  return covariance.map((value) => value / Math.max(1, used - 1));
};

const project = async (
  values: Float32Array,
  length: number,
  mean: Float64Array,
  axes: Float64Array,
  count: number,
  rows: number,
): Promise<Float32Array> => {
  const scores = new Float32Array(rows * count);
  const breathe = breather();
  for (let row = 0; row < rows; row++) {
    for (let f = 0; f < length; f++) {
      const value = values[row * length + f]! - mean[f]!;
      for (let c = 0; c < count; c++) scores[row * count + c]! += value * axes[f * count + c]!;
    }
    await breathe();
  }
  return scores;
};

const multiply = (matrix: Float64Array, axes: Float64Array, length: number, count: number) => {
  const product = new Float64Array(length * count);
  for (let f = 0; f < length; f++) {
    for (let g = 0; g < length; g++) {
      const value = matrix[f * length + g]!;
      for (let c = 0; c < count; c++) product[f * count + c]! += value * axes[g * count + c]!;
    }
  }
  return product;
};

/** Modified Gram-Schmidt, in place. */
const orthonormalise = (axes: Float64Array, length: number, count: number): void => {
  for (let c = 0; c < count; c++) {
    for (let before = 0; before < c; before++) {
      let dot = 0;
      for (let f = 0; f < length; f++) dot += axes[f * count + c]! * axes[f * count + before]!;
      for (let f = 0; f < length; f++) axes[f * count + c]! -= dot * axes[f * count + before]!;
    }
    let norm = 0;
    for (let f = 0; f < length; f++) norm += axes[f * count + c]! ** 2;
    const scale = norm < 1e-300 ? 0 : 1 / Math.sqrt(norm);
    for (let f = 0; f < length; f++) axes[f * count + c]! *= scale;
  }
};

const pointUp = (axes: Float64Array, length: number, count: number): void => {
  for (let c = 0; c < count; c++) {
    let largest = 0;
    for (let f = 0; f < length; f++) {
      if (Math.abs(axes[f * count + c]!) > Math.abs(largest)) largest = axes[f * count + c]!;
    }
    if (largest < 0) for (let f = 0; f < length; f++) axes[f * count + c]! *= -1;
  }
};

const breather = (): (() => Promise<void>) => {
  let until = performance.now() + sliceMs;
  return async () => {
    if (performance.now() < until) return;
    await yieldToOthers();
    until = performance.now() + sliceMs;
  };
};
