/** `run.json`: all that can be said about a run without its tables. */
import { readFileSync } from "node:fs";
import { packageFile } from "../../common/package-file.ts";
import { type Accuracies, totalAccuracies } from "./accuracy.ts";
import type { ResultsConfig } from "./origin.ts";
import { type ExperimentReport, identityOf, type ModelIdentity } from "./report.ts";
import type { ExperimentFailure } from "./result.ts";

export interface RunReport {
  /** Version of the program. */
  readonly platestream: string;
  /** Absolute path of the run's folder. */
  readonly folder: string;
  /** Of the process that finished the run; every experiment has a start of its own. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly seconds: number;
  readonly config: Omit<ResultsConfig, "models">;
  /** Every network that the workers held. */
  readonly models: readonly ModelIdentity[];
  /** All that are finished, those of earlier processes included. */
  readonly experiments: readonly ExperimentReport[];
  /** Experiments that failed, in earlier processes too, and have not been called since. */
  readonly failures: readonly ExperimentFailure[];
  /** Those of them that failed in this process. */
  readonly failedNow: readonly string[];
  readonly total: {
    readonly wells: number;
    readonly called: number;
    /** Sites. */
    readonly leftOut: number;
    readonly images: number;
    /** Of the experiments that this process ran. */
    readonly imagesPerSecond: number;
    readonly accuracy: Accuracies;
  };
  readonly notes: readonly string[];
}

export interface RunFacts {
  readonly folder: string;
  readonly config: ResultsConfig;
  readonly startedAt: Date;
  readonly seconds: number;
  /** Sites that this process had predicted. */
  readonly images: number;
  readonly experiments: readonly ExperimentReport[];
  readonly failures: readonly ExperimentFailure[];
  readonly failedNow: readonly string[];
}

export const reportRun = ({
  folder,
  config,
  startedAt,
  seconds,
  images,
  experiments,
  failures,
  failedNow,
}: RunFacts): RunReport => {
  const { models, ...settings } = config;
  const sum = (count: (experiment: ExperimentReport) => number) =>
    experiments.reduce((total, experiment) => total + count(experiment), 0);
  return {
    platestream: programVersion(),
    folder,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    seconds,
    config: settings,
    models: models.map(identityOf),
    experiments,
    failures,
    failedNow,
    total: {
      wells: sum(({ wells }) => wells),
      called: sum(({ called }) => called),
      leftOut: sum(({ leftOut }) => leftOut.length),
      images: sum((experiment) => experiment.images),
      imagesPerSecond: seconds > 0 ? images / seconds : 0,
      accuracy: totalAccuracies(experiments.map(({ accuracy }) => accuracy)),
    },
    notes: submissionNotes(experiments),
  };
};

const submissionNotes = (experiments: readonly ExperimentReport[]): string[] => {
  const missing = experiments.flatMap(({ experiment, notCalled }) =>
    notCalled
      .filter(({ wellType }) => wellType === "treatment")
      .map(({ plate, well }) => `${experiment}_${plate}_${well}`),
  );
  if (missing.length === 0) return [];
  return [
    `submission.csv lacks the treatment wells that could not be called, and the competition takes only complete ` +
      `files; ${missing.length} lacking: ${missing.slice(0, 20).join(", ")}${missing.length > 20 ? ", …" : ""}`,
  ];
};

export const programVersion = (): string => {
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };
  return version;
};
