/**
 * The layout of the competition: `train.csv`, `test.csv` and their `*_controls.csv` with a row per well, and images
 * `<train|test>/<experiment>/Plate<plate>/<well>_s<site>_w<channel>.png`. The wells of `test.csv` have no class.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { WellType } from "../screen/experiment.ts";
import { imageAt } from "../screen/image-source.ts";
import { hasColumns, type Problems, type Row, readTable, type Table } from "./csv.ts";
import { type Dataset, type ListedSite, makeDataset } from "./dataset.ts";
import { cellTypeOfName, duplicateFinder, rowReader } from "./fields.ts";
import { channelsOfRxrx1 } from "./rxrx1.ts";

/** Every well was photographed twice. A site whose files are not there stays listed. */
const sitesOfWell = [1, 2];

const files = [
  { name: "train.csv", folder: "train", controls: false },
  { name: "train_controls.csv", folder: "train", controls: true },
  { name: "test.csv", folder: "test", controls: false },
  { name: "test_controls.csv", folder: "test", controls: true },
] as const;

export const openKaggle = async (root: string, problems: Problems): Promise<Dataset> => {
  const isNew = duplicateFinder(problems);
  const listed: ListedSite[] = [];
  for (const { name, folder, controls } of files) {
    const path = join(root, name);
    if (!(await isFile(path))) continue;
    const table = await readTable(path);
    if (!hasColumns(table, ["experiment", "plate", "well", ...(controls ? ["well_type"] : [])], problems)) continue;
    for (const row of table.rows) {
      const well = readWell(table, row, problems, controls);
      if (well === undefined || !isNew(table, row, "well", [well.experiment, well.plate, well.well])) continue;
      listed.push(...sitesOfWell.map((site) => listSite(root, folder, well, site)));
    }
  }
  return makeDataset({ layout: "kaggle", root, channels: channelsOfRxrx1 }, listed, problems);
};

interface Well {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly wellType: WellType;
  readonly treatment?: string;
}

const readWell = (table: Table, row: Row, problems: Problems, controls: boolean): Well | undefined => {
  const read = rowReader(table, row, problems);
  const experiment = read.text("experiment");
  const plate = read.number("plate", 0);
  const well = read.well("well");
  const wellType = controls ? read.wellType("well_type") : "treatment";
  const treatment = read.label("sirna");
  if (experiment === undefined || plate === undefined || well === undefined || wellType === undefined) return undefined;
  return { experiment, plate: String(plate), well, wellType, ...(treatment === undefined ? {} : { treatment }) };
};

const listSite = (root: string, folder: string, well: Well, site: number): ListedSite => ({
  site: { ...well, cellType: cellTypeOfName(well.experiment), site, metadata: { dataset: folder } },
  images: () =>
    channelsOfRxrx1.map((_, index) =>
      imageAt(join(root, folder, well.experiment, `Plate${well.plate}`, `${well.well}_s${site}_w${index + 1}.png`)),
    ),
});

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
