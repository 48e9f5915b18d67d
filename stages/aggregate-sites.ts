import {
  type Context,
  defineStage,
  mergeMap,
  type Observable,
  PlatestreamError,
  pipe,
  reduce,
  type SitePrediction,
  type WellPrediction,
  z,
} from "../pipeline/plugin.ts";

const config = z.strictObject({
  sites: z
    .union([z.literal("all"), z.array(z.int().positive()).min(1)])
    .default("all")
    .describe("sites of a well that count: all, or a list of their numbers"),
});

interface WellSum {
  readonly first: SitePrediction;
  readonly probabilities: Float64Array;
  readonly features: Float64Array;
  readonly sites: Set<number>;
  readonly rounds: Set<number>;
  count: number;
}

/**
 * Averages what a well's sites say in all rounds: the sigmoid outputs (not the logits, as in the source) and the
 * features. Wells come out when the experiment is complete, in the order in which the dataset lists them.
 */
export const aggregateSites = defineStage({
  name: "aggregate-sites",
  description: "Averages the sigmoid outputs and the features of a well over its sites and rounds.",
  input: "site-prediction",
  output: "well-prediction",
  config,
  apply: ({ sites }, context) =>
    pipe(
      reduce((wells: Map<string, WellSum>, prediction: SitePrediction) => {
        if (sites === "all" || sites.includes(prediction.site.site)) add(wells, prediction);
        return wells;
      }, new Map()),
      mergeMap((wells) => inOrder(wells, context)),
    ) as (predictions: Observable<SitePrediction>) => Observable<WellPrediction>,
});

const keyOf = ({ plate, well }: { plate: string; well: string }): string => `${plate}\n${well}`;

const add = (wells: Map<string, WellSum>, prediction: SitePrediction): void => {
  const { site, logits, features, round } = prediction;
  let sum = wells.get(keyOf(site));
  if (sum === undefined) {
    sum = {
      first: prediction,
      probabilities: new Float64Array(logits.length),
      features: new Float64Array(features.length),
      sites: new Set(),
      rounds: new Set(),
      count: 0,
    };
    wells.set(keyOf(site), sum);
  }
  if (sum.first.model.version !== prediction.model.version) throw mixed(sum.first, prediction);
  for (let k = 0; k < logits.length; k++) sum.probabilities[k]! += 1 / (1 + Math.exp(-logits[k]!));
  for (let f = 0; f < features.length; f++) sum.features[f]! += features[f]!;
  sum.sites.add(site.site);
  sum.rounds.add(round);
  sum.count += 1;
};

const mixed = ({ site, model }: SitePrediction, other: SitePrediction): PlatestreamError =>
  new PlatestreamError(
    "invalid-model",
    `the sites of plate ${site.plate} well ${site.well} were predicted by different versions of ${model.name}: ` +
      `${model.version} and ${other.model.version}; give all workers the same bundle`,
  );

const inOrder = (wells: ReadonlyMap<string, WellSum>, { experiment }: Context): WellPrediction[] => {
  const listed = [...new Set(experiment.sites.map(keyOf))];
  const order = [
    ...listed.filter((key) => wells.has(key)),
    ...[...wells.keys()].filter((key) => !listed.includes(key)),
  ];
  return order.map((key) => predictionOf(wells.get(key)!));
};

const predictionOf = ({ first, probabilities, features, sites, rounds, count }: WellSum): WellPrediction => {
  const { site, model, statistics } = first;
  return {
    experiment: site.experiment,
    plate: site.plate,
    well: site.well,
    wellType: site.wellType,
    ...(site.sirna === undefined ? {} : { sirna: site.sirna }),
    probabilities: Float32Array.from(probabilities, (sum) => sum / count),
    features: Float32Array.from(features, (sum) => sum / count),
    sites: [...sites].sort((a, b) => a - b),
    rounds: rounds.size,
    model,
    statistics,
    metadata: site.metadata,
  };
};
