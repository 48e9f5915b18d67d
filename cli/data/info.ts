/** What `pipeline data info` shows. */
import Table from "cli-table3";
import { type Dataset, openDataset } from "../../datasets/open.ts";
import { type DatasetOptions, openOptionsOf } from "../parts/dataset-options.ts";

export interface InfoOptions extends DatasetOptions {
  readonly json?: boolean;
}

interface ExperimentInfo {
  readonly experiment: string;
  readonly cellType: string;
  readonly plates: number;
  readonly wells: number;
  /** Wells with controls. */
  readonly controls: number;
  readonly sites: number;
  /** Different classes of treatment wells; 0 where none is known. */
  readonly classes: number;
}

export const describeData = async (dir: string, options: InfoOptions): Promise<string> => {
  const dataset = await openDataset(dir, openOptionsOf(options));
  const classes = new Set<string>();
  const experiments = dataset.experiments.map(({ id }) => describeExperiment(dataset, id, classes));
  const { layout, root, channels, taken } = dataset;
  const notes = [...dataset.notes, ...classNotes(experiments, classes)];
  if (options.json) {
    return `${JSON.stringify({ layout, root, channels, classes: classes.size, experiments, taken, notes })}\n`;
  }
  const table = new Table({
    head: ["experiment", "cell type", "plates", "wells", "controls", "sites", "classes"],
    colAligns: ["left", "left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const { experiment, cellType, plates, wells, controls, sites, classes: own } of experiments)
    table.push([experiment, cellType, plates, wells, controls, sites, own]);
  const sum = (of: (info: ExperimentInfo) => number) => experiments.reduce((total, info) => total + of(info), 0);
  const cellTypes = new Set(experiments.map(({ cellType }) => cellType));
  table.push([
    `${experiments.length} in all`,
    `${cellTypes.size} in all`,
    sum(({ plates }) => plates),
    sum(({ wells }) => wells),
    sum(({ controls }) => controls),
    sum(({ sites }) => sites),
    classes.size,
  ]);
  const widest = Math.max(0, ...taken.map(({ what }) => what.length));
  const lines = [
    root,
    `layout ${layout}, channels ${channels.join(", ")}`,
    ...taken.map(({ what, from }) => `  ${what.padEnd(widest)}  ${from}`),
    ...notes.map((note) => `note: ${note}`),
    String(table),
  ];
  return `${lines.join("\n")}\n`;
};

/** A network that is to distinguish classes needs two of them. */
const classNotes = (experiments: readonly ExperimentInfo[], classes: ReadonlySet<string>): string[] => {
  const [only] = classes;
  if (classes.size === 1)
    return [`all treatment wells are of one class, "${only}"; --column class=NAME takes another column`];
  if (classes.size === 0 && experiments.length > 0)
    return ["no treatment well has a class: it can be called, but not learnt from"];
  return [];
};

const describeExperiment = (dataset: Dataset, id: string, classes: Set<string>): ExperimentInfo => {
  const plates = new Set<string>();
  const own = new Set<string>();
  let [wells, controls, sites] = [0, 0, 0];
  let before = "";
  let cellType = "";
  for (const site of dataset.addresses(id)) {
    cellType = site.cellType;
    sites += 1;
    plates.add(site.plate);
    const control = site.wellType !== "treatment";
    if (!control && site.treatment !== undefined) own.add(site.treatment);
    const well = `${site.plate}/${site.well}`;
    if (well === before) continue;
    before = well;
    wells += 1;
    if (control) controls += 1;
  }
  for (const name of own) classes.add(name);
  return { experiment: id, cellType, plates: plates.size, wells, controls, sites, classes: own.size };
};
