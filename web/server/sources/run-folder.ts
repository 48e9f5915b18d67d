/** The folder of a run, finished or still running in another process. */
import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readJson } from "../../../common/atomic-files.ts";
import { PlatestreamError } from "../../../common/errors.ts";
import { readOrigin } from "../../../pipeline/results/origin.ts";
import { readPiece } from "../../../pipeline/results/pieces.ts";
import type { ReportedExperiment } from "../../../pipeline/results/report.ts";
import type { RunReport } from "../../../pipeline/results/run-report.ts";
import { tailEvents } from "../tail-events.ts";
import { type ScreenFiles, takeEvents, type ViewSource } from "../view-source.ts";

/** @throws PlatestreamError `invalid-config` where there is no run */
export const originOfRun = async (folder: string): Promise<{ readonly data: string; readonly layout: string }> => {
  const origin = await readOrigin(folder);
  if (origin !== undefined) return origin;
  throw new PlatestreamError(
    "invalid-config",
    `${resolve(folder)} is not the folder of a run (it has no origin.json); name what --out of \`pipeline start\` named`,
  );
};

/** Undefined: the experiment is not done, or what is kept of it is damaged and will be called again. */
export const reportedIn =
  (folder: string) =>
  (experiment: string): Promise<ReportedExperiment | undefined> =>
    readPiece(join(folder, "experiments"), experiment).catch(() => undefined);

export const openRunFolderSource = async (folder: string, files: ScreenFiles | undefined): Promise<ViewSource> => {
  const dir = resolve(folder);
  const events = join(dir, "events.jsonl");
  await access(events).catch(() => {
    throw new PlatestreamError(
      "invalid-config",
      `${dir} has no events.jsonl: nodes of a bus keep their events there, look at it with --bus URL`,
    );
  });
  const reported = reportedIn(dir);
  return {
    name: dir,
    files,
    reported,
    async follow(state, signal) {
      const { take } = takeEvents({ files, reported }, state);
      let last = "";
      const look = async () => {
        const report = await readJson<RunReport>(join(dir, "run.json")).catch(() => undefined);
        state.activity({ nodes: [], workers: [], ended: report !== undefined && report.finishedAt >= last });
      };
      for await (const event of tailEvents(events, signal, look)) {
        last = event.at;
        await take(event);
      }
    },
  };
};
