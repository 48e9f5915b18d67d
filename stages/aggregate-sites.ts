import { mergeMap, type Observable, pipe, reduce } from "rxjs";
import {
  type Context,
  defineStage,
  PlatestreamError,
  type Serving,
  type SitePrediction,
  type SiteVote,
  sigmoid,
  softmax,
  type WellPrediction,
  z,
} from "../pipeline/plugin.ts";

const config = z.strictObject({
  sites: z
    .union([z.literal("all"), z.array(z.int().positive()).min(1)])
    .default("all")
    .describe("sites of a well that count: all, or a list of their numbers"),
  average: z
    .enum(["as-trained", "sigmoids", "logits"])
    .default("as-trained")
    .describe(
      "what is averaged: sigmoid outputs, or logits, whose softmax is then taken; as-trained: what the bundle says",
    ),
});
type Config = z.output<typeof config>;

type Average = Serving["sites"];

/** Sums over the predictions of one well. */
interface WellSum {
  /** That of the lowest site: the one that gives what a well takes over from its sites. */
  first: SitePrediction;
  /** Of sigmoid outputs, or of logits. */
  readonly outputs: Sums;
  readonly features: Sums;
  /** By site, and by class that was best in some of its rounds: in how many, and the sum of its probabilities there. */
  readonly best: Map<number, Map<number, { readonly rounds: number; readonly sum: number }>>;
  readonly rounds: Set<number>;
  count: number;
}

/** Sums with the rounding errors of their additions beside them: the order of the additions does not show. */
interface Sums {
  readonly totals: Float64Array;
  /** Tiny, so that half the bits are plenty. */
  readonly errors: Float32Array;
}

/**
 * Averages what a well's sites say in all rounds: their features, and the sigmoid outputs (not the logits, as in the
 * source) or, of a network that learnt one class of all, the logits. Wells come out when the experiment is complete: plate after plate in the experiment's order, row after row.
 */
export const aggregateSites = defineStage({
  name: "aggregate-sites",
  description: "Averages what the network says of a well, and its features, over its sites and rounds.",
  input: "site-prediction",
  output: "well-prediction",
  config,
  conditions: { "one-site": { sites: [1] } },
  apply: ({ sites, average: wanted }, context) => {
    checkSites(sites, context);
    const average = wanted === "as-trained" ? context.serving.sites : wanted;
    return pipe(
      reduce((wells: Map<string, WellSum>, prediction: SitePrediction) => {
        if (sites === "all" || sites.includes(prediction.site.site)) add(wells, prediction, average);
        return wells;
      }, new Map()),
      mergeMap((wells) =>
        inOrder(
          Array.from(takeAll(wells), (well) => predictionOf(well, average)),
          context,
        ),
      ),
    ) as (predictions: Observable<SitePrediction>) => Observable<WellPrediction>;
  },
});

const keyOf = ({ plate, well }: { plate: string; well: string }): string => `${plate}\n${well}`;

const checkSites = (sites: Config["sites"], { experiment, note }: Context): void => {
  if (sites === "all" || experiment.sites.length === 0) return;
  const listed = new Set(experiment.sites.map(keyOf));
  const served = new Set(experiment.sites.filter(({ site }) => sites.includes(site)).map(keyOf));
  if (served.size === 0) {
    const known = [...new Set(experiment.sites.map(({ site }) => site))].sort((a, b) => a - b);
    throw new PlatestreamError(
      "invalid-config",
      `sites must name at least one that ${experiment.id} has, got ${sites.join(", ")}; it has ${known.join(", ")}`,
    );
  }
  if (served.size < listed.size) {
    note(`wells that have no site ${sites.join(" or ")} and are not called: ${listed.size - served.size}`);
  }
};

const add = (wells: Map<string, WellSum>, prediction: SitePrediction, average: Average): void => {
  const { site, logits, features, round } = prediction;
  let sum = wells.get(keyOf(site));
  if (sum === undefined) {
    sum = {
      first: prediction,
      outputs: zeros(logits.length),
      features: zeros(features.length),
      best: new Map(),
      rounds: new Set(),
      count: 0,
    };
    wells.set(keyOf(site), sum);
  }
  checkAlike(sum.first, prediction);
  if (site.site < sum.first.site.site) sum.first = prediction;
  let best = 0;
  for (let k = 0; k < logits.length; k++) {
    addTo(sum.outputs, k, average === "logits" ? logits[k]! : sigmoid(logits[k]!));
    if (logits[k]! > logits[best]!) best = k;
  }
  for (let f = 0; f < features.length; f++) addTo(sum.features, f, features[f]!);
  const bests = sum.best.get(site.site) ?? new Map();
  const { rounds, sum: before } = bests.get(best) ?? { rounds: 0, sum: 0 };
  const probability = average === "logits" ? softmax(logits)[best]! : sigmoid(logits[best]!);
  sum.best.set(site.site, bests.set(best, { rounds: rounds + 1, sum: before + probability }));
  sum.rounds.add(round);
  sum.count += 1;
};

/** One at a time, so that the sums of a well are free as soon as its means are there. */
function* takeAll(wells: Map<string, WellSum>): Generator<WellSum> {
  for (const [key, well] of wells) {
    wells.delete(key);
    yield well;
  }
}

const zeros = (length: number): Sums => ({ totals: new Float64Array(length), errors: new Float32Array(length) });

/** Knuth's TwoSum (The Art of Computer Programming, vol. 2, 4.2.2): workers answer in any order. */
const addTo = ({ totals, errors }: Sums, index: number, value: number): void => {
  const before = totals[index]!;
  const total = before + value;
  const added = total - before;
  totals[index] = total;
  errors[index]! += before - (total - added) + (value - added);
};

const meanOf = ({ totals, errors }: Sums, count: number): Float32Array => {
  const means = new Float32Array(totals.length);
  for (const [index, total] of totals.entries()) means[index] = (total + errors[index]!) / count;
  return means;
};

const checkAlike = (first: SitePrediction, other: SitePrediction): void => {
  const { site, model } = first;
  const well = `plate ${site.plate} well ${site.well}`;
  if (identityOf(first) !== identityOf(other)) {
    throw new PlatestreamError(
      "invalid-model",
      `the sites of ${well} were predicted by different networks: ${identityOf(first)} and ${identityOf(other)}; ` +
        "give all workers the same bundle",
    );
  }
  if (kindOf(first) !== kindOf(other)) {
    throw new PlatestreamError(
      "invalid-model",
      `the sites of ${well} were predicted by ${model.name} with different statistics: ${kindOf(first)} and ` +
        `${kindOf(other)}; one kind has to serve all sites of an experiment`,
    );
  }
};

const identityOf = ({ model: { name, version, cellType } }: SitePrediction): string =>
  `${name} ${version} (${cellType})`;

const kindOf = ({ statistics }: SitePrediction): string =>
  statistics === "running" || statistics === "batch" ? statistics : "calibrated";

const predictionOf = ({ first, outputs, features, best, rounds, count }: WellSum, average: Average): WellPrediction => {
  const { site, model, statistics } = first;
  return {
    experiment: site.experiment,
    plate: site.plate,
    well: site.well,
    wellType: site.wellType,
    ...(site.treatment === undefined ? {} : { treatment: site.treatment }),
    probabilities: average === "logits" ? softmax(meanOf(outputs, count)) : meanOf(outputs, count),
    features: meanOf(features, count),
    sites: [...best.keys()].sort((a, b) => a - b),
    rounds: rounds.size,
    votes: votesOf(best, model.classes),
    model,
    statistics,
    metadata: site.metadata,
  };
};

/** The class that most rounds of a site found best; of those that are even, the one with the largest sum. */
const votesOf = (best: WellSum["best"], classes: readonly string[]): SiteVote[] =>
  [...best]
    .sort(([a], [b]) => a - b)
    .map(([site, bests]) => {
      const [[k, { rounds, sum }]] = [...bests].sort(
        ([i, a], [j, b]) => b.rounds - a.rounds || b.sum - a.sum || i - j,
      ) as [[number, { rounds: number; sum: number }]];
      return { site, treatment: classes[k]!, probability: sum / rounds };
    });

/** Whatever order the workers answered in. "Z02" comes before "AA02". */
const inOrder = (wells: readonly WellPrediction[], { experiment }: Context): WellPrediction[] => {
  const place = new Map(experiment.plates.map((plate, index) => [plate, index]));
  const placeOf = ({ plate }: WellPrediction) => place.get(plate) ?? experiment.plates.length;
  return [...wells].sort(
    (a, b) =>
      placeOf(a) - placeOf(b) || a.well.length - b.well.length || (a.well < b.well ? -1 : a.well > b.well ? 1 : 0),
  );
};
