import { setImmediate } from "node:timers/promises";
import { mergeMap, type Observable, pipe, toArray } from "rxjs";
import {
  type Call,
  type CallFlag,
  type Context,
  defineStage,
  PlatestreamError,
  type Strategy,
  strategies,
  type WellPrediction,
  z,
} from "../pipeline/plugin.ts";
import { evidence } from "./assignment/assign.ts";
import { checkPredictions } from "./assignment/check.ts";
import {
  type Answer,
  byArgmax,
  byPlateGroups,
  type GroupAnswer,
  mostProbable,
  oncePerExperiment,
  type Unreliable,
} from "./assignment/strategies.ts";

const config = z.strictObject({
  strategy: z
    .enum(strategies)
    .default("plate-groups")
    .describe(
      "the most probable class; every class once per experiment; or besides only the classes of the plate's group",
    ),
  // placeGroups tells how often simulated experiments were placed wrongly with a lead of 2.
  minMargin: z
    .number()
    .min(0)
    .default(2)
    .describe("lead of the best placement of groups over the next, in its standard errors, below which it is not used"),
  alternatives: z.int().min(0).default(5).describe("most probable classes to list with every call"),
});
type Config = z.output<typeof config>;

/** What the strategies say of an experiment's treatment wells. */
interface Answers {
  /** Without plate groups where the model has none. */
  readonly by: Readonly<Partial<Record<Strategy, Answer>>>;
  readonly used: Strategy;
  readonly chosen: Answer;
  readonly groupOf: ReadonlyMap<string, number> | undefined;
}

/**
 * Calls the wells of an experiment.
 *
 * Treatments occur once per experiment, and the treatments of a plate are one of a few fixed groups: both are facts of
 * the plate layout that the network does not know. Controls are called by themselves and never take part. Where there
 * are more treatment wells than classes, classes are called again, but none more often than it has to be. Where the
 * groups cannot be relied on, every class is called once per experiment; a note says why, and the calls are flagged.
 */
export const plateAssign = defineStage({
  name: "plate-assign",
  description:
    "Calls every well: by itself, with every class once per experiment, or with the plate's group of classes, too.",
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
  const { by, used, chosen, groupOf } = await answer(treatments, options, context);
  await others();
  const listed = listedSites(context);
  const indexOf = new Map(treatments.map((well, index) => [well, index]));

  return wells.map((well): Call => {
    const { model, plate } = well;
    const flags: CallFlag[] = [];
    if (well.sites.length < (listed.get(keyOf(well)) ?? 0)) flags.push("sites-missing");
    if (!model.trained) flags.push("untrained");
    const index = indexOf.get(well);
    if (index === undefined) {
      const every = [...model.classes.keys()];
      const called = describe(well, mostProbable(well, every), every, options);
      return { ...called, strategy: "argmax", byStrategy: {}, flags: ["control", ...flags] };
    }
    if (used !== options.strategy) flags.push("fallback");
    const group = groupOf?.get(plate);
    return {
      ...describe(well, chosen.called[index]!, chosen.open[index]!, options),
      ...(group === undefined ? {} : { plateGroup: group }),
      strategy: used,
      byStrategy: Object.fromEntries(
        Object.entries(by).map(([name, { called }]) => [name, model.classes[called[index]!]!]),
      ),
      flags,
    };
  });
};

const answer = async (treatments: readonly WellPrediction[], options: Config, context: Context): Promise<Answers> => {
  const wells = treatments.map((prediction) => ({ prediction, evidence: evidence(prediction.probabilities) }));
  const { classes, groups } = treatmentClasses(treatments);
  await others();
  const once = oncePerExperiment(wells, classes);
  await others();
  const grouped = byPlateGroups(wells, classes, groups, options.minMargin);
  await others();
  const placed = "unreliable" in grouped ? undefined : grouped;
  const by = {
    argmax: byArgmax(wells, classes),
    "once-per-experiment": once,
    ...(groups.length === 0 ? {} : { "plate-groups": placed ?? once }),
  };
  const used = options.strategy === "plate-groups" && placed === undefined ? "once-per-experiment" : options.strategy;
  if (wells.length > 0) {
    if (options.strategy === "plate-groups") context.note(placementNote(grouped));
    if (used !== "argmax" && wells.length > classes.length) context.note(repeatsNote(wells.length, classes.length));
  }
  return { by, used, chosen: by[used] ?? once, groupOf: used === "plate-groups" ? placed?.groupOf : undefined };
};

/** Classes that treatment wells may be called, and the groups they form. Controls are in neither. */
const treatmentClasses = ([first]: readonly WellPrediction[]): { classes: number[]; groups: number[][] } => {
  if (first === undefined) return { classes: [], groups: [] };
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
  return { classes, groups: model.plateGroups.map((group) => group.filter((k) => !controls.has(k))) };
};

const placementNote = (grouped: GroupAnswer | Unreliable): string => {
  if ("unreliable" in grouped) {
    return `plate groups were not used, every class is called once per experiment instead: ${grouped.unreliable}`;
  }
  const { groupOf, margin } = grouped;
  return (
    `plates ${[...groupOf.keys()].join(", ")} hold plate groups ${[...groupOf.values()].join(", ")}; ` +
    `this placement leads the next by ${margin.toFixed(1)} standard errors`
  );
};

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
