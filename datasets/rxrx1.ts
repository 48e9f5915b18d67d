/**
 * The public releases of RxRx: `metadata.csv` with a row per site, and one grey image per channel,
 * `images/<experiment>/Plate<plate>/<well>_s<site>_w<channel>.png`. RxRx2 and RxRx19 have no `well_type`, and call the class
 * `treatment`; wells without one are untreated.
 */
import { join } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import type { Site } from "../screen/experiment.ts";
import { imageAt, type PlaneSource } from "../screen/image-source.ts";
import { type ChosenChannel, chooseChannels } from "./channels.ts";
import { readTable } from "./csv-table.ts";
import type { Dataset, SiteAddress } from "./dataset.ts";
import { cellTypeOfName } from "./fields.ts";
import { namesInIfAny } from "./folders.ts";
import type { Layout, Place } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { openSiteTable } from "./read-sites.ts";
import { plainName, type RoleNames, usualNames } from "./roles.ts";
import { type SiteSource, siteList } from "./site-list.ts";

export const channelsOfRxrx1 = ["nuclei", "ER", "actin", "nucleoli", "mitochondria", "Golgi"];

const namesInRxrx: RoleNames = { ...usualNames, class: ["sirnaid", "treatment"] };

export const rxrx1: Layout = {
  expects: "metadata.csv and images/<experiment>/Plate<n>/<well>_s<site>_w<channel>.png",
  async detect({ root, entries }) {
    if (!entries?.includes("metadata.csv")) return false;
    if (entries.includes("images")) return true;
    throw new PlatestreamError(
      "invalid-data",
      `${root} has metadata.csv but no images/ beside it: unpack the images there, or name the table itself`,
    );
  },
  async open(place, opening) {
    const channels = (first: SiteAddress | undefined) => findChannels(place.root, first);
    const image = (stem: string, channel: number) => imageAt(`${stem}_w${channel + 1}.png`);
    return openReleased(place, opening, { layout: "rxrx1", channels, image });
  },
};

/** How the images of a release lie. */
export interface Release {
  readonly layout: string;
  /** Names of the channels; the files of the first site may show them. */
  channels(first: SiteAddress | undefined): Promise<readonly string[]>;
  /** `stem` is the path of a site's images up to the part that names the channel. */
  image(stem: string, channel: number): PlaneSource;
}

export const openReleased = async (
  { root, entries }: Place,
  opening: Opening,
  { layout, channels: findNames, image }: Release,
): Promise<Dataset> => {
  const path = entries === undefined ? root : join(root, "metadata.csv");
  const table = await readTable(path, opening);
  const kinds = table.columns.some((column) => plainName(column) === "treatment") ? [] : (["well-type"] as const);
  const read = openSiteTable(
    table,
    {
      names: namesInRxrx,
      needed: ["experiment", "plate", "well", "site", ...kinds],
      cellType: cellTypeOfName,
      numberedPlates: true,
      numberedClasses: true,
    },
    opening,
  );
  const untreated = !read?.roles.has("well-type") && read?.roles.has("class");
  if (untreated) opening.note(`${path} has no column well_type: wells without a class are taken for negative controls`);
  const list = siteList(opening);
  let chosen: readonly ChosenChannel[] = [];
  const folder = entries === undefined ? join(root, "..") : root;
  const source: SiteSource = {
    place: table.place,
    columns: {
      site: read?.roles.get("site") ?? "site",
      class: read?.roles.get("class") ?? "sirna_id",
      wellType: read?.roles.get("well-type") ?? "well_type",
    },
    images: (_, site) => chosen.map(({ index }) => image(siteStem(folder, site), index)),
    metadata: (row) =>
      Object.fromEntries(metadata.map((name) => [name === "sirna" ? "sirna_name" : name, table.get(row, name)])),
  };
  const metadata = (read?.others ?? []).filter((name) => !["site_id", "well_id", "sirna_id"].includes(name));
  let first: SiteAddress | undefined;
  for (const { row, site } of read?.rows() ?? []) {
    first ??= site;
    const control = untreated && site.treatment === undefined;
    list.add(control ? { ...site, wellType: "negative_control" } : site, source, row);
  }
  chosen = chooseChannels(await findNames(first), opening);
  return list.finish({
    layout,
    root: folder,
    channels: chosen.map(({ name }) => name),
    tables: [path],
    taken: [],
    notes: [],
  });
};

const siteStem = (
  root: string,
  { experiment, plate, well, site }: Pick<Site, "experiment" | "plate" | "well" | "site">,
) => join(root, "images", experiment, `Plate${plate}`, `${well}_s${site}`);

/** Sister sets of RxRx1 have other numbers of channels: the images say how many. */
const findChannels = async (root: string, site: SiteAddress | undefined): Promise<readonly string[]> => {
  if (site === undefined) return channelsOfRxrx1;
  const files = await namesInIfAny(join(siteStem(root, site), ".."));
  const most = Math.max(0, ...files.map((file) => Number(/_w(\d+)\.png$/.exec(file)?.[1] ?? 0)));
  if (most === 0 || most === channelsOfRxrx1.length) return channelsOfRxrx1;
  return Array.from({ length: most }, (_, index) => `w${index + 1}`);
};
