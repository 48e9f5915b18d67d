/**
 * The folder that a run's results go to.
 *
 * Every finished experiment is a piece of its own, `experiments/<id>/`; the files for people and other programs
 * (`calls.csv`, `submission.csv`, `profiles.parquet`, `run.json`) are put together from all pieces at the end. So a run
 * that was killed continues after the experiments that are there, and none is written twice.
 */
import { appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { inFolder, readJson, replaceFile } from "../../common/atomic-files.ts";
import { lockFolder } from "../../common/folder-lock.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { ResultStore } from "../run/node.ts";
import { checkOrigin, type ResultsConfig } from "./origin.ts";
import { openPieces, readPiece, readReports, writePiece } from "./pieces.ts";
import { profileWriter } from "./profiles.ts";
import { type ExperimentReport, type ReportedExperiment, reportExperiment } from "./report.ts";
import type { ExperimentFailure, ExperimentResult } from "./result.ts";
import { programVersion, type RunReport, reportRun } from "./run-report.ts";
import { callsHeader, callsRows, submissionHeader, submissionRows } from "./tables.ts";

export interface RunFolder extends ResultStore {
  /** Absolute path. */
  readonly dir: string;
  /** Networks that workers hold which came later. Throws "invalid-config" where the folder's results come from others. */
  accept(models: readonly ModelInfo[]): Promise<void>;
  write(result: ExperimentResult, reported?: ReportedExperiment): Promise<void>;
  /** Puts the run-level files together from all finished experiments, and closes the folder. */
  finish(run: { readonly seconds: number }): Promise<RunReport>;
  /** Lets other processes have the folder. */
  close(): Promise<void>;
}

export interface RunFolderOptions {
  readonly config: ResultsConfig;
  /** Forget what an earlier run left in the folder. */
  readonly fresh: boolean;
}

/** All that a run puts into its folder; the bus keeps its journal and events there. Nothing else is ever removed. */
const contents = [
  "experiments",
  "failures",
  "origin.json",
  "bus.json",
  "events.jsonl",
  "calls.csv",
  "submission.csv",
  "profiles.parquet",
  "run.json",
];

/** Throws "invalid-config" when another process writes to the folder, or when it holds the results of another run. */
export const openRunFolder = async (folder: string, { config, fresh }: RunFolderOptions): Promise<RunFolder> => {
  const dir = resolve(folder);
  await mkdir(dir, { recursive: true });
  const unlock = await lockFolder(dir);
  try {
    if (fresh) await Promise.all(contents.map((name) => rm(join(dir, name), { recursive: true, force: true })));
    await checkOrigin(dir, config);
    return await open(dir, config, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
};

const open = async (dir: string, given: ResultsConfig, unlock: () => Promise<void>): Promise<RunFolder> => {
  let config = given;
  let accepting: Promise<void> = Promise.resolve();
  const startedAt = new Date();
  const experiments = join(dir, "experiments");
  const failures = join(dir, "failures");
  const done = await openPieces(experiments);
  await mkdir(failures, { recursive: true });
  const failureFile = (experiment: string) => `${inFolder(failures, experiment)}.json`;
  const writing = new Map<string, Promise<void>>();
  let images = 0;

  const store = async (reported: ReportedExperiment): Promise<void> => {
    await writePiece(experiments, reported);
    await rm(failureFile(reported.report.experiment), { force: true });
    done.add(reported.report.experiment);
    images += reported.report.images;
  };

  return {
    dir,
    done: () => done,
    accept(models) {
      accepting = accepting
        .catch(() => undefined)
        .then(async () => {
          await checkOrigin(dir, { ...config, models });
          const all = [...config.models, ...models];
          config = { ...config, models: [...new Map(all.map((model) => [identity(model), model])).values()] };
        });
      return accepting;
    },
    async write(result, reported = reportExperiment(result)) {
      const { id } = result.experiment;
      if (done.has(id)) return;
      const under = writing.get(id) ?? store(reported).finally(() => writing.delete(id));
      writing.set(id, under);
      await under;
    },
    fail: (failure) => replaceFile(failureFile(failure.experiment), `${JSON.stringify(failure, null, 2)}\n`),
    async finish({ seconds }) {
      const reports = await readReports(experiments, done);
      await writeTables(dir, experiments, reports);
      const report = reportRun({
        folder: dir,
        config,
        startedAt,
        seconds,
        images,
        experiments: reports,
        failures: await readFailures(failures),
      });
      await replaceFile(join(dir, "run.json"), `${JSON.stringify(report, null, 2)}\n`);
      await unlock();
      return report;
    },
    close: unlock,
  };
};

const identity = ({ name, cellType, version }: ModelInfo): string => `${name} ${cellType} ${version}`;

const readFailures = async (folder: string): Promise<ExperimentFailure[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(names.map(async (name) => (await readJson<ExperimentFailure>(join(folder, name)))!));
};

/** Goes through the experiments once and holds one of them at a time. */
const writeTables = async (dir: string, pieces: string, reports: readonly ExperimentReport[]): Promise<void> => {
  await replaceFile(join(dir, "calls.csv"), (calls) =>
    replaceFile(join(dir, "submission.csv"), (submission) =>
      replaceFile(join(dir, "profiles.parquet"), async (parquet) => {
        const profiles = profileWriter(parquet, reports, `platestream ${programVersion()}`);
        await writeFile(calls, callsHeader);
        await writeFile(submission, submissionHeader);
        for (const report of reports) {
          const piece = await readPiece(pieces, report);
          await appendFile(calls, callsRows(report.experiment, piece.wells));
          await appendFile(submission, submissionRows(report.experiment, piece.wells));
          profiles.write(piece);
        }
        profiles.finish();
      }),
    ),
  );
};
