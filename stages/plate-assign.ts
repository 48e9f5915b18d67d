import {
  type Call,
  type CallFlag,
  type Context,
  defineStage,
  mergeMap,
  type Observable,
  PlatestreamError,
  pipe,
  type Strategy,
  strategies,
  toArray,
  type WellPrediction,
  z,
} from "../pipeline/plugin.ts";
import { assignOnce, evidence } from "./assignment/assign.ts";
import { placeGroups } from "./assignment/place-groups.ts";

const config = z.strictObject({
  strategy: z
    .enum(strategies)
    .default("plate-groups")
    .describe(
      "the most probable class; every class once per experiment; or besides only the classes of the plate's group",
    ),
  minMargin: z
    .number()
    .min(0)
    .default(0.02)
    .describe("least lead of the best placement of groups over the next, in nats per treatment well, to rely on it"),
  alternatives: z.int().min(0).default(5).describe("most probable classes to list with every call"),
});
type Config = z.output<typeof config>;

/** Per treatment well, the class that a strategy calls and the classes it left open. */
interface Answer {
  readonly called: readonly number[];
  readonly open: readonly (readonly number[])[];
}

/**
 * Calls the wells of an experiment.
 *
 * Treatments occur once per experiment, and the treatments of a plate are one of a few fixed groups: both are facts of
 * the plate layout that the network does not know. Controls are called by themselves and never take part.
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
    ) as (wells: Observable<WellPrediction>) => Observable<Call>,
});

const callWells = (wells: readonly WellPrediction[], options: Config, context: Context): Call[] => {
  for (const well of wells) checkProbabilities(well);
  const model = wells[0]?.model;
  if (model === undefined) return [];
  const treatments = wells.filter(({ wellType }) => wellType === "treatment");
  const classes = model.classes.map((_, k) => k).filter((k) => !model.controls.includes(k));
  const allOpen = treatments.map(() => classes);

  const argmax: Answer = { called: treatments.map((well) => best(well, classes)), open: allOpen };
  const once: Answer = { called: assignAmong(treatments, classes), open: allOpen };
  const grouped = byGroups(treatments, options, context);
  const answers: Record<Strategy, Answer> = {
    argmax,
    "once-per-experiment": once,
    "plate-groups": grouped?.answer ?? once,
  };
  const fallback = options.strategy === "plate-groups" && grouped === undefined;
  const expected = sitesPerWell(context);

  const indexOf = new Map(treatments.map((well, index) => [well, index]));
  return wells.map((well): Call => {
    const flags: CallFlag[] = [];
    if (well.sites.length < (expected.get(`${well.plate} ${well.well}`) ?? 0)) flags.push("sites-missing");
    if (!well.model.trained) flags.push("untrained");
    const index = indexOf.get(well);
    if (index === undefined) {
      const every = model.classes.map((_, k) => k);
      return {
        ...describe(well, best(well, every), every, options),
        strategy: "argmax",
        byStrategy: {},
        flags: ["control", ...flags],
      };
    }
    if (fallback) flags.push("fallback");
    const { called, open } = answers[options.strategy];
    const group = options.strategy === "plate-groups" ? grouped?.groupOf.get(well.plate) : undefined;
    return {
      ...describe(well, called[index]!, open[index]!, options),
      ...(group === undefined ? {} : { plateGroup: group }),
      strategy: fallback ? "once-per-experiment" : options.strategy,
      byStrategy: Object.fromEntries(strategies.map((name) => [name, model.classes[answers[name].called[index]!]!])),
      flags,
    };
  });
};

/** Undefined, with a note that says why, where the groups cannot be relied on. */
const byGroups = (
  treatments: readonly WellPrediction[],
  { minMargin, strategy }: Config,
  { note }: Context,
): { answer: Answer; groupOf: ReadonlyMap<string, number> } | undefined => {
  const groups = treatments[0]?.model.plateGroups ?? [];
  const plates = [...new Set(treatments.map(({ plate }) => plate))];
  const onPlate = (plate: string) => treatments.filter((well) => well.plate === plate);
  const fallBack = (why: string) => {
    if (strategy === "plate-groups")
      note(`plate groups were not used, every class is called once per experiment instead: ${why}`);
    return undefined;
  };
  if (groups.length === 0) return fallBack("the model has none");
  const placement = placeGroups(
    plates.map((plate) => ({ plate, wells: onPlate(plate).map(({ probabilities }) => probabilities) })),
    groups,
  );
  if (placement === undefined)
    return fallBack(`${plates.length} plates hold treatments, the model has ${groups.length} groups`);
  const { groupOf, margin } = placement;
  if (margin < minMargin) {
    return fallBack(`the best placement leads by ${margin.toFixed(4)} nats per well, ${minMargin} are needed`);
  }
  const crowded = plates.find((plate) => onPlate(plate).length > groups[groupOf.get(plate)!]!.length);
  if (crowded !== undefined) {
    return fallBack(
      `plate ${crowded} has ${onPlate(crowded).length} treatment wells, its group has ${groups[groupOf.get(crowded)!]!.length} classes`,
    );
  }
  const open = treatments.map(({ plate }) => groups[groupOf.get(plate)!]!);
  const called = new Array<number>(treatments.length);
  for (const plate of plates) {
    const indices = treatments.flatMap((well, index) => (well.plate === plate ? [index] : []));
    const assigned = assignAmong(onPlate(plate), groups[groupOf.get(plate)!]!);
    for (const [at, index] of indices.entries()) called[index] = assigned[at]!;
  }
  return { answer: { called, open }, groupOf };
};

const assignAmong = (wells: readonly WellPrediction[], classes: readonly number[]): number[] =>
  assignOnce(wells.map(({ probabilities }) => classes.map((k) => evidence(probabilities[k]!)))).map(
    (at) => classes[at]!,
  );

const best = ({ probabilities }: WellPrediction, classes: readonly number[]): number =>
  classes.reduce((top, k) => (probabilities[k]! > probabilities[top]! ? k : top));

const describe = (
  prediction: WellPrediction,
  called: number,
  open: readonly number[],
  { alternatives }: Config,
): Pick<Call, "prediction" | "sirna" | "probability" | "margin" | "alternatives"> => {
  const { probabilities, model } = prediction;
  const others = open.filter((k) => k !== called).map((k) => probabilities[k]!);
  const ranked = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!);
  return {
    prediction,
    sirna: model.classes[called]!,
    probability: probabilities[called]!,
    margin: probabilities[called]! - (others.length === 0 ? 0 : others.reduce((a, b) => Math.max(a, b))),
    alternatives: ranked
      .slice(0, alternatives)
      .map((k) => ({ sirna: model.classes[k]!, probability: probabilities[k]! })),
  };
};

const sitesPerWell = ({ experiment }: Context): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { plate, well } of experiment.sites)
    counts.set(`${plate} ${well}`, (counts.get(`${plate} ${well}`) ?? 0) + 1);
  return counts;
};

const checkProbabilities = ({ probabilities, plate, well, model }: WellPrediction): void => {
  if (probabilities.every(Number.isFinite)) return;
  throw new PlatestreamError(
    "invalid-model",
    `the probabilities of plate ${plate} well ${well} are not numbers; network ${model.name} ${model.version} of ${model.cellType} is broken`,
  );
};
