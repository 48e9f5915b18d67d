/** Which files of a folder are a run's: nothing else is ever overwritten or removed. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { restartFileEvents } from "../events/file.ts";
import { pieceFiles } from "./pieces.ts";

const folders = ["experiments", "failures"] as const;
/** The bus keeps its journal here, and `events.jsonl` its numbers. */
const files = ["origin.json", "bus.json", "calls.csv", "submission.csv", "profiles.parquet", "run.json"] as const;

/**
 * Makes the folder where there is none.
 *
 * @throws PlatestreamError `invalid-config` where it cannot be a run's: something else lies under the names of a run's files
 */
export const claimFolder = async (folder: string): Promise<void> => {
  await makeFolder(folder);
  const there = await readdir(folder);
  // A run locks the folder before it writes anything.
  if (there.includes(".lock") || there.includes("origin.json")) return;
  const foreign = [...folders, ...files, "events.jsonl"].filter((name) => there.includes(name));
  if (foreign.length === 0) return;
  throw new PlatestreamError(
    "invalid-config",
    `results go only to a folder that holds none of another program's, and ${folder} holds ${foreign.join(", ")}, which no ` +
      "run has written; give this run another --out",
  );
};

/** Removes what runs have left. Events that come later go on with the numbers after the last one. */
export const clearFolder = async (folder: string): Promise<void> => {
  await Promise.all(files.map((name) => rm(join(folder, name), { force: true })));
  await restartFileEvents(join(folder, "events.jsonl"));
  const failures = join(folder, "failures");
  await removeFiles(failures, await namesIn(failures).then((names) => names.filter((name) => name.endsWith(".json"))));
  const experiments = join(folder, "experiments");
  for (const name of await namesIn(experiments)) await removeFiles(join(experiments, name), pieceFiles);
  await rmdir(experiments).catch(() => undefined);
};

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

/** Removes these, and then the folder if nothing else is in it. */
const removeFiles = async (folder: string, names: readonly string[]): Promise<void> => {
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true }).catch(() => undefined)));
  await rmdir(folder).catch(() => undefined);
};
