import { PlatestreamError } from "../../common/errors.ts";
import type { Dataset, ListedExperiment } from "../../datasets/dataset.ts";

/** Those of the dataset's experiments that are wanted: all, when none are named. */
export const choose = (
  dataset: Pick<Dataset, "root" | "experiments">,
  wanted: readonly string[],
): readonly ListedExperiment[] => {
  const known = dataset.experiments.map(({ id }) => id);
  const unknown = wanted.filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    throw new PlatestreamError(
      "invalid-config",
      `${dataset.root} has no experiment ${unknown.join(", ")}; it has ${known.join(", ")}`,
    );
  }
  if (known.length === 0) throw new PlatestreamError("invalid-data", `${dataset.root} has no experiments`);
  return wanted.length === 0 ? dataset.experiments : dataset.experiments.filter(({ id }) => wanted.includes(id));
};
