/** What is kept of an experiment: its report for `run.json`, and one row per well for the tables. */
import { PlatestreamError } from "../../common/errors.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { Site, WellType } from "../../screen/experiment.ts";
import type { Call, WellPrediction } from "../stage/items.ts";
import { type Accuracies, scoreWells } from "./accuracy.ts";
import type { Inputs } from "./inputs.ts";
import type { ExperimentResult } from "./result.ts";

/** Which network answered; `version` is the hash of its weights and manifest. */
export interface ModelIdentity {
  readonly name: string;
  readonly version: string;
  readonly cellType: string;
  readonly trained: boolean;
}

/** One well of the experiment, whether it could be called or not. */
export interface WellRow {
  readonly plate: string;
  readonly well: string;
  readonly wellType: WellType;
  /** The truth, where the dataset knows it. */
  readonly treatment?: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Absent: the well could not be called. */
  readonly call?: Pick<
    Call,
    "treatment" | "probability" | "confidence" | "margin" | "alternatives" | "plateGroup" | "strategy" | "byStrategy"
  > &
    Pick<WellPrediction, "sites" | "votes" | "statistics"> & { readonly model: ModelIdentity };
  /** Those of the call, or `not-called`. */
  readonly flags: readonly string[];
  /** Why sites of the well were left out. */
  readonly reasons: readonly string[];
}

export interface ExperimentReport {
  readonly experiment: string;
  readonly cellType: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly attempts: number;
  /** Sites predicted. */
  readonly images: number;
  readonly imagesPerSecond: number;
  readonly models: readonly ModelIdentity[];
  readonly wells: number;
  readonly called: number;
  readonly leftOut: readonly {
    readonly plate: string;
    readonly well: string;
    readonly site: number;
    readonly stage: string;
    readonly reason: string;
  }[];
  readonly notCalled: readonly Pick<WellRow, "plate" | "well" | "wellType" | "reasons">[];
  readonly notes: readonly string[];
  readonly accuracy: Accuracies;
  /** Length of every well's features; 0 where no well was called. */
  readonly featureCount: number;
  /** Names of the dataset's further columns. */
  readonly metadata: readonly string[];
  /** Those of them that hold numbers, or nothing, in every well. Absent in reports of older versions. */
  readonly numericMetadata?: readonly string[];
  /** What the calls rest on, as it was when the experiment was begun. */
  readonly inputs?: Inputs;
}

export interface ReportedExperiment {
  readonly report: ExperimentReport;
  readonly wells: readonly WellRow[];
  /** [called wells, featureCount], in the order of the wells that have a call. */
  readonly features: Float32Array;
}

export const identityOf = ({ name, version, cellType, trained }: ModelInfo): ModelIdentity => ({
  name,
  version,
  cellType,
  trained,
});

export const reportExperiment = (result: ExperimentResult): ReportedExperiment => {
  const { experiment, leftOut, notes, attempts, startedAt, seconds, images } = result;
  const { wells, predictions } = tabulate(result);
  const models = new Map(predictions.map(({ model }) => [`${model.name} ${model.version}`, identityOf(model)]));
  const columns = [...new Set(wells.flatMap(({ metadata }) => Object.keys(metadata)))];
  const report = {
    experiment: experiment.id,
    cellType: experiment.cellType,
    startedAt,
    seconds,
    attempts,
    images,
    imagesPerSecond: seconds > 0 ? images / seconds : 0,
    models: [...models.values()],
    wells: wells.length,
    called: predictions.length,
    leftOut: leftOut.map(({ stage, site: { plate, well, site }, reason }) => ({ plate, well, site, stage, reason })),
    notCalled: wells
      .filter(({ call }) => call === undefined)
      .map(({ plate, well, wellType, reasons }) => ({ plate, well, wellType, reasons })),
    notes,
    accuracy: scoreWells(wells.map((row) => ({ ...row, called: calledBy(row) }))),
    featureCount: predictions[0]?.features.length ?? 0,
    metadata: columns,
    numericMetadata: columns.filter((name) => isNumeric(wells.map(({ metadata }) => metadata[name]))),
    ...(result.inputs === undefined ? {} : { inputs: result.inputs }),
  };
  return { report, wells, features: stack(experiment.id, predictions) };
};

/** A number that loses nothing by being one: not an identifier such as `007`. */
const plainNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i;

/** What tables write where a value is missing. */
const noNumber = /^(?:|nan|na|n\/a|null|none)$/i;

const isNumeric = (texts: readonly (string | undefined)[]): boolean => {
  const values = texts.filter((text) => text !== undefined && !noNumber.test(text));
  return (
    values.length > 0 &&
    values.every((text) => plainNumber.test(text!) && Number.isSafeInteger(Math.trunc(Number(text))))
  );
};

/** What each strategy says of a well. A stage of a plugin's may know only what it called. */
const calledBy = ({ call }: WellRow) =>
  call === undefined ? {} : { [call.strategy]: call.treatment, ...call.byStrategy };

/** One row per well of the experiment, in its order; those with a call come with the prediction it rests on. */
const tabulate = ({ experiment, calls, leftOut }: ExperimentResult) => {
  const key = ({ plate, well }: { plate: string; well: string }) => JSON.stringify([plate, well]);
  const callOf = new Map(calls.map((call) => [key(call.prediction), call]));
  const wellOf = new Map<string, Site | WellPrediction>();
  for (const well of [...experiment.sites, ...calls.map(({ prediction }) => prediction)]) {
    if (!wellOf.has(key(well))) wellOf.set(key(well), well);
  }
  const reasonsOf = new Map<string, string[]>();
  for (const { stage, site, reason } of [...leftOut].sort((a, b) => a.site.site - b.site.site)) {
    reasonsOf.set(key(site), [...(reasonsOf.get(key(site)) ?? []), `site ${site.site}: ${reason} (${stage})`]);
  }
  const wells = [...wellOf].map(([id, well]) => wellRow(well, callOf.get(id), reasonsOf.get(id) ?? []));
  const predictions = [...wellOf.keys()].flatMap((id) => callOf.get(id)?.prediction ?? []);
  return { wells, predictions };
};

const wellRow = (
  { plate, well, wellType, treatment, metadata }: Site | WellPrediction,
  call: Call | undefined,
  reasons: readonly string[],
): WellRow => ({
  plate,
  well,
  wellType,
  ...(treatment === undefined ? {} : { treatment }),
  metadata,
  ...(call === undefined ? {} : { call: rowCall(call) }),
  flags: call === undefined ? ["not-called"] : call.flags,
  reasons,
});

const rowCall = ({ prediction, flags: _, ...call }: Call): NonNullable<WellRow["call"]> => ({
  ...call,
  sites: prediction.sites,
  ...(prediction.votes === undefined ? {} : { votes: prediction.votes }),
  statistics: prediction.statistics,
  model: identityOf(prediction.model),
});

const stack = (experiment: string, predictions: readonly WellPrediction[]): Float32Array => {
  const length = predictions[0]?.features.length ?? 0;
  const features = new Float32Array(predictions.length * length);
  for (const [index, prediction] of predictions.entries()) {
    if (prediction.features.length !== length) {
      throw new PlatestreamError(
        "invalid-model",
        `the wells of one experiment must come from networks with equally many features, got ${length} and ` +
          `${prediction.features.length} in ${experiment}; do the workers hold different bundles?`,
      );
    }
    features.set(prediction.features, index * length);
  }
  return features;
};
