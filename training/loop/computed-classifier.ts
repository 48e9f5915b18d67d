/** The classifier of recipes that compute it: from the features of the images that were learnt from, as they are served. */
import type { Serving } from "../../common/serving.ts";
import type { Weights } from "../../gpu-worker/network/architecture.ts";
import type { Sample } from "../data/samples.ts";
import { type LabelledFeatures, type LinearClassifier, linearDiscriminant } from "./discriminant.ts";
import { predictSites, type Validation } from "./held-out-wells.ts";

/** Undefined where the recipe has the classifier learnt. */
export const computedClassifier = async (
  validation: Validation,
  training: readonly Sample[],
  serving: Serving,
): Promise<LinearClassifier | undefined> => {
  const { recipe, classes } = validation;
  if (recipe.classifier.kind === "learnt") return undefined;
  const rows: LabelledFeatures[] = [];
  const labels = new Map(classes.map((name, k) => [name, k]));
  const known = { ...validation, samples: training, scores: ({ treatment }: Sample) => labels.has(treatment) };
  for await (const { sample, features } of predictSites(known, serving)) {
    rows.push({ features, label: labels.get(sample.treatment)! });
  }
  return linearDiscriminant(rows, classes.length, recipe.classifier);
};

/** The network with this classifier as its last layer. */
export const withClassifier = (weights: Weights, { weight, bias }: LinearClassifier): Weights =>
  new Map([...weights, ["classifier.weight", weight], ["classifier.bias", bias]]);
