/**
 * A classifier that is computed instead of learnt: Fisher's linear discriminant of a network's features.
 *
 * Steps of an optimiser need many images of a class before its row of the classifier is good; means of features need
 * few. Directions in which the sites of one class differ count little, those in which they are alike count much. The
 * covariance within the classes is blended with a multiple of the identity (Friedman 1989, "Regularized Discriminant
 * Analysis"), because there are often fewer sites than features.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { PlatestreamError } from "../../common/errors.ts";

/** Logits are weight * features + bias. */
export interface LinearClassifier {
  /** [classes, features] */
  readonly weight: Float32Array;
  /** [classes] */
  readonly bias: Float32Array;
}

export interface LabelledFeatures {
  /** [features] */
  readonly features: Float32Array;
  /** Index of its class. */
  readonly label: number;
}

/**
 * Log-likelihoods of the classes over `temperature`, all classes being as probable, less what is common to them all: on
 * average over the images, the exponentials of an image's logits add up to 1, so that their sigmoid outputs are near
 * probabilities.
 *
 * @param shrinkage share of the identity in the covariance, from 0 to 1, in units of the mean variance
 * @throws PlatestreamError `invalid-data` for a class without features
 */
export const linearDiscriminant = (
  rows: readonly LabelledFeatures[],
  classes: number,
  { shrinkage, temperature }: { readonly shrinkage: number; readonly temperature: number },
): LinearClassifier => {
  const width = rows[0]?.features.length ?? 0;
  const means = meansOf(rows, classes, width);
  const centre = Array.from({ length: width }, (_, f) => means.reduce((sum, mean) => sum + mean[f]!, 0) / classes);
  const within = covarianceWithin(rows, means, width);
  const variance = within.trace() / width;
  const blended = Matrix.mul(within, 1 - shrinkage).add(Matrix.eye(width, width, shrinkage * variance + 1e-12));
  const shifted = new Matrix(means.map((mean) => mean.map((value, f) => value - centre[f]!)));
  const directions = new CholeskyDecomposition(blended).solve(shifted.transpose()).transpose();

  const weights = directions.div(temperature);
  const weight = Float32Array.from(weights.to1DArray());
  const bias = means.map(
    (_, k) =>
      -dot(
        weights.getRow(k),
        centre.map((c, f) => c + shifted.get(k, f) / 2),
      ),
  );
  const likelihoods = { weight, bias: Float32Array.from(bias) };
  const sums = rows.map(({ features }) => logSumExp(logitsOf(likelihoods, features)));
  const common = sums.reduce((sum, each) => sum + each, 0) / rows.length;
  return { weight, bias: likelihoods.bias.map((value) => value - common) };
};

/** [classes] */
export const logitsOf = ({ weight, bias }: LinearClassifier, features: Float32Array): Float32Array =>
  bias.map((value, k) => {
    let sum = value;
    for (let f = 0; f < features.length; f++) sum += weight[k * features.length + f]! * features[f]!;
    return sum;
  });

const logSumExp = (logits: Float32Array): number => {
  const most = Math.max(...logits);
  return most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
};

const dot = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, i) => sum + value * other[i]!, 0);

const meansOf = (rows: readonly LabelledFeatures[], classes: number, width: number): number[][] => {
  const sums = Array.from({ length: classes }, () => new Array<number>(width).fill(0));
  const counts = new Array<number>(classes).fill(0);
  for (const { features, label } of rows) {
    counts[label]! += 1;
    const sum = sums[label]!;
    for (let f = 0; f < width; f++) sum[f]! += features[f]!;
  }
  const missing = counts.indexOf(0);
  if (missing >= 0) throw new PlatestreamError("invalid-data", `no image of class ${missing} can be read`);
  return sums.map((sum, k) => sum.map((value) => value / counts[k]!));
};

const covarianceWithin = (
  rows: readonly LabelledFeatures[],
  means: readonly (readonly number[])[],
  width: number,
): Matrix => {
  const centred = new Matrix(rows.map(({ features, label }) => Array.from(features, (x, f) => x - means[label]![f]!)));
  return width === 0 ? centred : centred.transpose().mmul(centred).div(rows.length);
};
