import { setImmediate } from "node:timers/promises";
import { mergeMap, type Observable, pipe, toArray } from "rxjs";
import {
  addUp,
  type Call,
  type CallFlag,
  type Context,
  confidenceOf,
  defineStage,
  evidence,
  findMixUps,
  noReplicates,
  PlatestreamError,
  replicateSets,
  type Strategy,
  seenWells,
  shares,
  strategies,
  type WellPrediction,
  z,
} from "../pipeline/plugin.ts";
import { checkPredictions } from "./assignment/check.ts";
import {
  type Assignment,
  byArgmax,
  byBalance,
  byPlateGroups,
  type GroupAssignment,
  mostProbable,
  oncePerExperiment,
  type Unreliable,
} from "./assignment/strategies.ts";

const config = z.strictObject({
  strategy: z
    .enum(strategies)
    .default("plate-groups")
    .describe(
      "the most probable class; every class as often as the design says; the most probable class given the design; or every class as the design says and on each plate only its group's",
    ),
  // placeGroups says how often simulated experiments were placed wrongly with a lead of 2.
  minMargin: z
    .number()
    .min(0)
    .default(2)
    .describe("lead of the best placement of groups over the next, in its standard errors, below which it is not used"),
  minConfidence: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("calls that are less certain to be right are left open: flagged, and no calls in the tables"),
  replicates: z
    .boolean()
    .default(true)
    .describe("call wells together that hold one treatment by the layout, as the network has learnt it"),
  alternatives: z.int().min(0).default(5).describe("most probable classes to list with every call"),
});
type Config = z.output<typeof config>;

/** What the strategies say of an experiment's treatment wells. */
interface Answers {
  /** Without plate groups where the model has none. */
  readonly by: Readonly<Partial<Record<Strategy, Assignment>>>;
  readonly used: Strategy;
  readonly chosen: Assignment;
  /** Per treatment well. */
  readonly groups: readonly (number | undefined)[];
  /** How many wells each was called together with, itself included. */
  readonly together: readonly number[];
  /** Probability of every class in every treatment well, given the design. */
  readonly balanced: readonly Float64Array[];
}

/**
 * Calls the wells of an experiment.
 *
 * Treatments occur once per experiment, and the treatments of a plate are one of a few fixed groups: both are facts of
 * the plate layout that the network does not know. Controls are called by themselves and never take part. Where there
 * are more treatment wells than classes, classes are called again, but none more often than it has to be. Where the
 * groups cannot be relied on, every class is called once per experiment; a note says why, and the calls are flagged.
 * Wells that hold one treatment by the layout, as replicates on plates that are filled alike, are called as one.
 */
export const plateAssign = defineStage({
  name: "plate-assign",
  description:
    "Calls every well: by itself, with each treatment once per experiment, or with the treatments of the plate's group, too.",
  input: "well-prediction",
  output: "call",
  config,
  apply: (options, context) =>
    pipe(
      toArray(),
      mergeMap((wells: WellPrediction[]) => callWells(wells, options, context)),
      mergeMap((calls) => calls),
    ) as (wells: Observable<WellPrediction>) => Observable<Call>,
});

/** Others wait for this thread to be fed, workers above all: between the parts it lets them go on. */
const others = (): Promise<void> => setImmediate();

const callWells = async (wells: readonly WellPrediction[], options: Config, context: Context): Promise<Call[]> => {
  checkPredictions(wells);
  const treatments = wells.filter(({ wellType }) => wellType === "treatment");
  const { by, used, chosen, groups, together, balanced } = await answer(treatments, options, context);
  await others();
  const listed = listedSites(context);
  const indexOf = new Map(treatments.map((well, index) => [well, index]));

  const calls = wells.map((well): Call => {
    const { model } = well;
    const flags: CallFlag[] = [];
    if (well.sites.length < (listed.get(keyOf(well)) ?? 0)) flags.push("sites-missing");
    if (!model.trained) flags.push("untrained");
    const index = indexOf.get(well);
    if (index === undefined) {
      const every = [...model.classes.keys()];
      const called = describe(well, mostProbable(well, every), every, options);
      const own = shares(evidence(well.probabilities), every, model.confidence.temperature);
      const confidence = confidenceOf(own[model.classes.indexOf(called.treatment)]!, model.confidence);
      return { ...called, confidence, strategy: "argmax", byStrategy: {}, flags: ["control", ...flags] };
    }
    const confidence = confidenceOf(balanced[index]![chosen.called[index]!]!, model.confidence);
    if (confidence < options.minConfidence) flags.push("open");
    if (used !== options.strategy) flags.push("fallback");
    const [group, replicates] = [groups[index], together[index]!];
    return {
      ...describe(well, chosen.called[index]!, chosen.open[index]!, options),
      confidence,
      ...(group === undefined ? {} : { plateGroup: group }),
      ...(replicates === 1 ? {} : { replicates }),
      strategy: used,
      byStrategy: Object.fromEntries(
        Object.entries(by).map(([name, { called }]) => [name, model.classes[called[index]!]!]),
      ),
      flags,
    };
  });
  noteConfidence(calls, options, context);
  for (const { sentence } of findMixUps(seenWells(wells))) context.note(`layout: ${sentence}`);
  return calls;
};

const noteConfidence = (calls: readonly Call[], { minConfidence }: Config, { note }: Context): void => {
  const treatments = calls.filter(({ prediction }) => prediction.wellType === "treatment");
  const [first] = treatments;
  if (first === undefined || minConfidence === 0) return;
  const { model } = first.prediction;
  const kept = treatments.flatMap(({ confidence = 0 }) => (confidence >= minConfidence ? [confidence] : []));
  const wrong = kept.reduce((sum, confidence) => sum + 1 - confidence, 0) / Math.max(kept.length, 1);
  note(
    `${kept.length} of ${treatments.length} treatment wells are called with a confidence of ${minConfidence} or more; ` +
      `${(100 * wrong).toFixed(1)} % of those are expected to be wrong` +
      (model.confidence.wells === 0
        ? ", if the network is right about itself: it was never tried on held-out wells"
        : ""),
  );
};

const answer = async (treatments: readonly WellPrediction[], options: Config, context: Context): Promise<Answers> => {
  const replicates = options.replicates && treatments[0] !== undefined ? treatments[0].model.replicates : noReplicates;
  const sets = replicateSets(treatments, replicates);
  const wells = sets.map(({ plate, wells: own }) => ({
    plate,
    evidence: addUp(own.map(({ probabilities }) => evidence(probabilities))),
  }));
  const united = sets.length < treatments.length;
  const { classes, groups, copies, temperature } = treatmentClasses(treatments, united);
  await others();
  const once = oncePerExperiment(wells, classes, copies);
  await others();
  const grouped = byPlateGroups(wells, classes, groups, copies, options.minMargin);
  await others();
  const placed = "unreliable" in grouped ? undefined : grouped;
  const balance = byBalance(wells, placed ?? once, copies, temperature);
  await others();
  const setOf = new Map(sets.flatMap(({ wells: own }, set) => own.map((well) => [well, set] as const)));
  const each = <T>(ofSets: readonly T[]): T[] => treatments.map((well) => ofSets[setOf.get(well)!]!);
  const forWells = ({ called, open }: Assignment): Assignment => ({ called: each(called), open: each(open) });
  const by = {
    argmax: byArgmax(treatments, classes),
    "once-per-experiment": forWells(once),
    balanced: forWells(balance),
    ...(groups.length === 0 ? {} : { "plate-groups": forWells(placed ?? once) }),
  };
  const used = options.strategy === "plate-groups" && placed === undefined ? "once-per-experiment" : options.strategy;
  if (wells.length > 0) {
    if (united && used !== "argmax") context.note(replicatesNote(treatments.length, sets.length));
    if (options.strategy === "plate-groups") context.note(placementNote(grouped));
    if (used !== "argmax" && copies.length === 0 && wells.length > classes.length)
      context.note(repeatsNote(wells.length, classes.length));
  }
  const groupOf = used === "plate-groups" || used === "balanced" ? placed?.groupOf : undefined;
  return {
    by,
    used,
    chosen: by[used] ?? by["once-per-experiment"],
    groups: each(sets.map(({ plate }) => groupOf?.get(plate))),
    together: each(sets.map(({ wells: own }) => (used === "argmax" ? 1 : own.length))),
    balanced: each(balance.balanced),
  };
};

/** Classes that treatment wells may be called, and the groups they form. Controls are in neither. */
const treatmentClasses = ([first]: readonly WellPrediction[], united: boolean) => {
  if (first === undefined) return { classes: [], groups: [], copies: [], temperature: 1 };
  const { model } = first;
  const controls = new Set(model.controls);
  const classes = [...model.classes.keys()].filter((k) => !controls.has(k));
  if (classes.length === 0) {
    throw new PlatestreamError(
      "invalid-model",
      `network ${model.name} ${model.version} of ${model.cellType} knows controls only and cannot call treatment wells; ` +
        "train it on treatments, too",
    );
  }
  const groups = model.plateGroups.map((group) => group.filter((k) => !controls.has(k)));
  const copies = united ? model.replicates.copies : model.copies;
  return { classes, groups, copies, temperature: model.confidence.temperature };
};

const placementNote = (grouped: GroupAssignment | Unreliable): string => {
  if ("unreliable" in grouped) {
    return `plate groups were not used, each treatment is called once per experiment instead: ${grouped.unreliable}`;
  }
  const { groupOf, margin } = grouped;
  return (
    `plates ${[...groupOf.keys()].join(", ")} hold plate groups ${[...groupOf.values()].join(", ")}; ` +
    `this placement leads the next by ${margin.toFixed(1)} standard errors`
  );
};

const replicatesNote = (wells: number, sets: number): string =>
  `${wells} treatment wells hold ${sets} treatments by the layout, and are called together (replicates: false calls each alone)`;

const repeatsNote = (wells: number, classes: number): string =>
  `${wells} treatment wells share ${classes} classes, so classes are called up to ${Math.ceil(wells / classes)} times`;

const describe = (
  prediction: WellPrediction,
  called: number,
  open: readonly number[],
  { alternatives }: Config,
): Pick<Call, "prediction" | "treatment" | "probability" | "margin" | "alternatives"> => {
  const { probabilities, model } = prediction;
  const other = open.reduce((top, k) => (k === called ? top : Math.max(top, probabilities[k]!)), 0);
  const ranked = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!);
  return {
    prediction,
    treatment: model.classes[called]!,
    probability: probabilities[called]!,
    margin: probabilities[called]! - other,
    alternatives: ranked
      .slice(0, alternatives)
      .map((k) => ({ treatment: model.classes[k]!, probability: probabilities[k]! })),
  };
};

const keyOf = ({ plate, well }: { plate: string; well: string }): string => `${plate}\n${well}`;

const listedSites = ({ experiment }: Context): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const site of experiment.sites) counts.set(keyOf(site), (counts.get(keyOf(site)) ?? 0) + 1);
  return counts;
};
