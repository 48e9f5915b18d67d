/** What `pipeline data info` shows. */
import Table from "cli-table3";
import { type Dataset, openDataset } from "../../datasets/open.ts";
import type { LayoutChoice } from "../shared/layout-option.ts";

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

export const describeData = async (
  dir: string,
  { layout, json }: { readonly layout: LayoutChoice; readonly json?: boolean },
): Promise<string> => {
  const dataset = await openDataset(dir, { layout });
  const experiments: ExperimentInfo[] = [];
  const classes = new Set<string>();
  for (const { id } of dataset.experiments) experiments.push(await describeExperiment(dataset, id, classes));
  const { root, channels } = dataset;
  if (json)
    return `${JSON.stringify({ layout: dataset.layout, root, channels, classes: classes.size, experiments })}\n`;
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
  return `${root}\nlayout ${dataset.layout}, channels ${channels.join(", ")}\n${table}\n`;
};

const describeExperiment = async (dataset: Dataset, id: string, classes: Set<string>): Promise<ExperimentInfo> => {
  const { cellType, plates, sites } = await dataset.load(id);
  const own = new Set(
    sites.flatMap(({ wellType, treatment }) =>
      wellType === "treatment" && treatment !== undefined ? [treatment] : [],
    ),
  );
  for (const name of own) classes.add(name);
  const wells = new Map(sites.map(({ plate, well, wellType }) => [`${plate}/${well}`, wellType]));
  return {
    experiment: id,
    cellType,
    plates: plates.length,
    wells: wells.size,
    controls: [...wells.values()].filter((wellType) => wellType !== "treatment").length,
    sites: sites.length,
    classes: own.size,
  };
};
