/** What the calls of an experiment rest on, as two digests: results are only kept while both are as they were. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { from, lastValueFrom, toArray } from "rxjs";
import { mapOrdered } from "../../common/concurrency.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { locationsOf } from "../../screen/image-source.ts";

export interface Inputs {
  /** SHA-256 of what the dataset's table says of its sites. */
  readonly table: string;
  /** SHA-256 of the sizes and times of its image files. */
  readonly images: string;
}

const filesAtATime = 32;

export const readInputs = async ({ id, cellType, sites }: Experiment): Promise<Inputs> => {
  const files = [...new Set(sites.flatMap(({ images }) => images.flatMap(locationsOf)))].filter(isFile).sort();
  const states = await lastValueFrom(from(files).pipe(mapOrdered(filesAtATime, stateOf), toArray()));
  const rows = sites.map((site) => JSON.stringify(site)).sort();
  return { table: sha256([id, cellType, ...rows]), images: sha256(states) };
};

/** What lies in a store is only known by its address. */
const isFile = (location: string): boolean => !/^[a-z][a-z0-9+.-]+:\/\//i.test(location);

const stateOf = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? `${path} is missing` : `${path} ${found.size} ${found.mtimeMs}`;
};

const sha256 = (lines: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const line of lines) hash.update(line).update("\n");
  return hash.digest("hex");
};
