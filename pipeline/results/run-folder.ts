/**
 * The folder that a run's results go to.
 *
 * Every finished experiment is a piece of its own, `experiments/<id>/`; the files for people and other programs
 * (`calls.csv`, `submission.csv`, `profiles.parquet`, `run.json`) are put together from all pieces at the end. So a run
 * that was killed continues after the experiments that are there, and none is written twice.
 */
import { appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { inFolder, nameOfFile, readJson, replaceFile } from "../../common/atomic-files.ts";
import { lockFolder } from "../../common/folder-lock.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { Experiment } from "../../screen/experiment.ts";
import type { ResultStore } from "../run/node.ts";
import { readInputs } from "./inputs.ts";
import { checkOrigin, otherRun, type ResultsConfig } from "./origin.ts";
import { claimFolder, clearFolder } from "./own-files.ts";
import { type Damage, eachPiece, inOrder, openPieces, readPiece, writePiece } from "./pieces.ts";
import { profileWriter } from "./profiles.ts";
import { type ExperimentReport, type ReportedExperiment, reportExperiment } from "./report.ts";
import type { ExperimentFailure, ExperimentResult } from "./result.ts";
import { programVersion, type RunReport, reportRun } from "./run-report.ts";
import { callsHeader, callsRows, submissionHeader, submissionRows } from "./tables.ts";

export interface RunFolder extends ResultStore {
  /** Absolute path. */
  readonly dir: string;
  /**
   * Makes sure that what is taken over still has the inputs that it was made from: the rows of its table, and its images.
   * Throws "invalid-config" with what has changed.
   */
  checkInputs(experiments: readonly string[], load: (experiment: string) => Promise<Experiment>): Promise<void>;
  /** Experiments that it held when it was opened, and what it holds of each. */
  eachHeld(): AsyncIterable<ReportedExperiment>;
  /** What it holds of a finished experiment. */
  read(experiment: string): Promise<ReportedExperiment>;
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
  /** What an earlier run left is damaged: the experiment has to be run again. */
  readonly onDamage?: (damage: Damage) => void;
}

/**
 * Throws "invalid-config" when another process writes to the folder, when it holds the results of another run, or another
 * program's files under the names that a run writes to.
 */
export const openRunFolder = async (
  folder: string,
  { config, fresh, onDamage = () => undefined }: RunFolderOptions,
): Promise<RunFolder> => {
  const dir = resolve(folder);
  await claimFolder(dir);
  const unlock = await lockFolder(dir);
  try {
    if (fresh) await clearFolder(dir);
    await checkOrigin(dir, config);
    return await open(dir, config, unlock, onDamage);
  } catch (error) {
    await unlock();
    throw error;
  }
};

const open = async (
  dir: string,
  given: ResultsConfig,
  unlock: () => Promise<void>,
  onDamage: (damage: Damage) => void,
): Promise<RunFolder> => {
  let config = given;
  let accepting: Promise<void> = Promise.resolve();
  const startedAt = new Date();
  const experiments = join(dir, "experiments");
  const failures = join(dir, "failures");
  const reports = await openPieces(experiments, onDamage);
  const done = new Set(reports.keys());
  const failureFile = (experiment: string) => `${inFolder(failures, experiment)}.json`;
  await mkdir(failures, { recursive: true });
  for (const experiment of done) await rm(failureFile(experiment), { force: true });
  const failed = new Set<string>();
  const writing = new Map<string, Promise<void>>();
  let images = 0;

  const store = async (reported: ReportedExperiment): Promise<void> => {
    const { experiment } = reported.report;
    await writePiece(experiments, reported);
    await rm(failureFile(experiment), { force: true });
    reports.set(experiment, reported.report);
    done.add(experiment);
    failed.delete(experiment);
    images += reported.report.images;
  };

  return {
    dir,
    done: () => done,
    confirm: async () => undefined,
    async checkInputs(wanted, load) {
      const changed: string[] = [];
      for (const experiment of wanted) {
        const before = reports.get(experiment)?.inputs;
        if (before === undefined) continue;
        const now = await readInputs(await load(experiment));
        if (before.table !== now.table) changed.push(`the table says something else about ${experiment}`);
        else if (before.images !== now.images) changed.push(`image files of ${experiment} have another size or time`);
      }
      if (changed.length > 0) throw otherRun(dir, changed);
    },
    eachHeld: () => eachPiece(experiments, onDamage),
    read: (experiment) => readPiece(experiments, experiment),
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
    async fail(failure) {
      await replaceFile(failureFile(failure.experiment), `${JSON.stringify(failure, null, 2)}\n`);
      failed.add(failure.experiment);
    },
    async finish({ seconds }) {
      const finished = inOrder(reports.values());
      await writeTables(dir, experiments, finished);
      const report = reportRun({
        folder: dir,
        config,
        startedAt,
        seconds,
        images,
        experiments: finished,
        failures: await readFailures(failures),
        failedNow: [...failed],
      });
      await replaceFile(join(dir, "run.json"), `${JSON.stringify(report, null, 2)}\n`);
      await unlock();
      return report;
    },
    close: unlock,
  };
};

const identity = ({ name, cellType, version }: ModelInfo): string => `${name} ${cellType} ${version}`;

/** One that is damaged says no more than that its experiment failed. */
const readFailures = async (folder: string): Promise<ExperimentFailure[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => {
      const failure = await readJson<ExperimentFailure>(join(folder, name)).catch(() => undefined);
      if (typeof failure?.experiment === "string") return failure;
      const experiment = nameOfFile(name.slice(0, -".json".length));
      return { experiment, cellType: "", attempts: 0, code: "internal", reason: `${join(folder, name)} is damaged` };
    }),
  );
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
          const piece = await readPiece(pieces, report.experiment);
          await appendFile(calls, callsRows(report.experiment, piece.wells));
          await appendFile(submission, submissionRows(report.experiment, piece.wells));
          profiles.write(piece);
        }
        profiles.finish();
      }),
    ),
  );
};
