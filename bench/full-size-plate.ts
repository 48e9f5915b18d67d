/** A full-size synthetic plate for the benches: 308 wells, 2 sites, 6 channels of 512x512. Made once, kept in the temporary folder. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataset } from "../datasets/open.ts";
import { synthesise } from "../datasets/synthetic/synthesise.ts";
import type { Experiment } from "../screen/experiment.ts";

export const fullSizePlate = async (log: (line: string) => void): Promise<Experiment> => {
  const folder = join(tmpdir(), "platestream-bench-plate");
  log(`a full-size synthetic plate in ${folder} (generated if it is not there)`);
  await synthesise(
    folder,
    { experiments: ["HUVEC-01"], plates: 1, size: 512, classes: 277, positiveControls: 30 },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
  return (await openDataset(folder)).load("HUVEC-01");
};

/** An experiment of `count` plates that all show the same files. */
export const repeatPlate = (experiment: Experiment, count: number): Experiment => {
  const plates = Array.from({ length: count }, (_, index) => String(index + 1));
  return {
    ...experiment,
    plates,
    sites: plates.flatMap((plate) => experiment.sites.map((site) => ({ ...site, plate }))),
  };
};
