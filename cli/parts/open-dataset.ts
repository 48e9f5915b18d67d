import { type Dataset, openDataset } from "../../datasets/open.ts";
import { type DatasetOptions, openOptionsOf } from "./dataset-options.ts";

/** Opens the dataset of a command; what was guessed or looks odd goes to stderr. */
export const openForCommand = async (dir: string, options: DatasetOptions): Promise<Dataset> => {
  const dataset = await openDataset(dir, openOptionsOf(options));
  tellNotes(dataset);
  return dataset;
};

export const tellNotes = ({ notes }: Dataset): void => {
  for (const note of notes) process.stderr.write(`note: ${note}\n`);
};
