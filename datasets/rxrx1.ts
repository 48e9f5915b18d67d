/**
 * The public release of RxRx1: `metadata.csv` with a row per site, and one grey image per channel,
 * `images/<experiment>/Plate<plate>/<well>_s<site>_w<channel>.png`.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Site } from "../screen/experiment.ts";
import { type ImageSource, imageAt } from "../screen/image-source.ts";
import { hasColumns, type Problems, readTable } from "./csv.ts";
import { type Dataset, type ListedSite, makeDataset } from "./dataset.ts";
import { cellTypeOfName, duplicateFinder, rowReader } from "./fields.ts";

export const channelsOfRxrx1 = ["nuclei", "ER", "actin", "nucleoli", "mitochondria", "Golgi"];

export const openRxrx1 = async (root: string, problems: Problems): Promise<Dataset> => {
  const sites = await readSiteTable(join(root, "metadata.csv"), problems);
  const channels = await findChannels(root, sites[0]);
  const images = (site: SiteAddress) =>
    channels.map((_, index) => imageAt(`${siteStem(root, site)}_w${index + 1}.png`));
  return makeDataset({ layout: "rxrx1", root, channels }, withImages(sites, images), problems);
};

export type SiteAddress = Pick<Site, "experiment" | "plate" | "well" | "site">;

/** Path of a site's images up to what tells the channel. */
export const siteStem = (root: string, { experiment, plate, well, site }: SiteAddress): string =>
  join(root, "images", experiment, `Plate${plate}`, `${well}_s${site}`);

export const withImages = (
  sites: readonly Omit<Site, "images">[],
  images: (site: SiteAddress) => readonly ImageSource[],
): ListedSite[] => sites.map((site) => ({ site, images: () => images(site) }));

/**
 * The columns may stand in any order. `cell_type` may be absent, it is in the experiment's name; so may `sirna_id`, the
 * class. Further columns become metadata, and the manufacturer's name of the siRNA is called `sirna_name` there.
 */
export const readSiteTable = async (path: string, problems: Problems): Promise<Omit<Site, "images">[]> => {
  const table = await readTable(path);
  if (!hasColumns(table, ["experiment", "plate", "well", "site", "well_type"], problems)) return [];
  const isNew = duplicateFinder(problems);
  const extra = table.columns.filter((name) => !known.includes(name));
  return table.rows.flatMap((row) => {
    const read = rowReader(table, row, problems);
    const experiment = read.text("experiment");
    const plate = read.number("plate", 0);
    const well = read.well("well");
    const site = read.number("site", 0);
    const wellType = read.wellType("well_type");
    const treatment = read.label("sirna_id");
    if (experiment === undefined || plate === undefined || well === undefined || site === undefined) return [];
    if (!isNew(table, row, "site", [experiment, plate, well, site]) || wellType === undefined) return [];
    return {
      experiment,
      cellType: row.get("cell_type") || cellTypeOfName(experiment),
      plate: String(plate),
      well,
      site,
      wellType,
      ...(treatment === undefined ? {} : { treatment }),
      metadata: Object.fromEntries(extra.map((name) => [name === "sirna" ? "sirna_name" : name, row.get(name)])),
    };
  });
};

const known = ["site_id", "well_id", "cell_type", "experiment", "plate", "well", "site", "well_type", "sirna_id"];

/** Sister sets of RxRx1 have other numbers of channels: the images say how many. */
const findChannels = async (root: string, site: SiteAddress | undefined): Promise<string[]> => {
  if (site === undefined) return channelsOfRxrx1;
  const folder = join(siteStem(root, site), "..");
  const files = await readdir(folder).catch((): string[] => []);
  const most = Math.max(0, ...files.map((file) => Number(/_w(\d+)\.png$/.exec(file)?.[1] ?? 0)));
  if (most === 0 || most === channelsOfRxrx1.length) return channelsOfRxrx1;
  return Array.from({ length: most }, (_, index) => `w${index + 1}`);
};
