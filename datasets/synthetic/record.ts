/** What a synthetic dataset says of itself: `synth.json` for this program, `metadata.csv` for everybody. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import { replaceFile } from "../../common/atomic-files.ts";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { type SyntheticParameters, syntheticParameters } from "./parameters.ts";
import { planExperiment } from "./plan.ts";

/** Version of the generator: files of another one would not fit beside this one's. */
const version = 1;

/** The highest numbers that RxRx1 gives for training; higher ones are its test set. */
const lastTraining: Readonly<Record<string, number>> = { HUVEC: 16, RPE: 7, HEPG2: 7, U2OS: 3 };

/** Names of the experiments that an earlier run finished in this folder with the same parameters. */
export const readRecord = async (root: string, parameters: SyntheticParameters): Promise<string[]> => {
  const text = await readFile(join(root, "synth.json"), "utf8").catch(() => undefined);
  if (text === undefined) {
    if (!(await exists(join(root, "metadata.csv")))) return [];
    throw new PlatestreamError(
      "invalid-config",
      `${root} holds a dataset that this command did not write; choose another folder`,
    );
  }
  const record = JSON.parse(text) as { version: number; parameters: object; experiments: string[] };
  const before = syntheticParameters.safeParse(record.parameters).data;
  const changed = Object.keys(parameters).filter(
    (key) => before?.[key as keyof SyntheticParameters] !== parameters[key as keyof SyntheticParameters],
  ) as (keyof SyntheticParameters)[];
  if (record.version !== version || changed.length > 0) {
    throw new PlatestreamError(
      "invalid-config",
      listProblems(
        `${root} holds experiments of other parameters; choose another folder, or ask for the same:`,
        record.version === version
          ? changed.map((key) => `${key} was ${before?.[key]}, now ${parameters[key]}`)
          : [`written by version ${record.version} of the generator, this is version ${version}`],
      ),
    );
  }
  return record.experiments;
};

/**
 * Rewrites both files; a reader sees the old or the new ones, never half of them. Without experiments there is only
 * `synth.json`, which says before the first image what the folder is for.
 */
export const writeRecord = async (
  root: string,
  parameters: SyntheticParameters,
  experiments: readonly string[],
): Promise<void> => {
  const sorted = [...experiments].sort();
  if (sorted.length > 0) await replaceFile(join(root, "metadata.csv"), metadataCsv(parameters, sorted));
  const record = { version, parameters, experiments: sorted };
  await replaceFile(join(root, "synth.json"), `${JSON.stringify(record, null, 2)}\n`);
};

const metadataCsv = (parameters: SyntheticParameters, experiments: readonly string[]): string => {
  const rows = experiments.flatMap((name) => {
    const { cellType, plates } = planExperiment(parameters, name);
    const dataset = Number(name.split("-").at(-1)) > (lastTraining[cellType] ?? Infinity) ? "test" : "train";
    return plates.flatMap(({ plate, wells }) =>
      wells.flatMap(({ well, wellType, treatment, sites }) =>
        sites.map((site) => ({
          site_id: `${name}_${plate}_${well}_${site}`,
          well_id: `${name}_${plate}_${well}`,
          cell_type: cellType,
          dataset,
          experiment: name,
          plate,
          well,
          site,
          well_type: wellType,
          sirna: wellType === "negative_control" ? "EMPTY" : `synthetic-${treatment}`,
          sirna_id: treatment,
        })),
      ),
    );
  });
  return stringify(rows, { header: true });
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
