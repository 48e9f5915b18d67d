/**
 * The layout of the competition: `train.csv`, `test.csv` and their `*_controls.csv` with a row per well, and images
 * `<train|test>/<experiment>/Plate<plate>/<well>_s<site>_w<channel>.png`. The wells of `test.csv` have no class. Classes are
 * numbers, or `sirna_250` and `UNTREATED` as in the re-released tables.
 */
import { join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { chooseChannels } from "./channels.ts";
import { readTable } from "./csv-table.ts";
import { cellTypeOfName } from "./fields.ts";
import type { Layout } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { openSiteTable } from "./read-sites.ts";
import { usualNames } from "./roles.ts";
import { channelsOfRxrx1 } from "./rxrx1.ts";
import { type SiteList, type SiteSource, siteList } from "./site-list.ts";

/** Every well was photographed twice. A site whose files are not there stays listed. */
const sitesOfWell = [1, 2];

const files = [
  { name: "train.csv", folder: "train", controls: false },
  { name: "train_controls.csv", folder: "train", controls: true },
  { name: "test.csv", folder: "test", controls: false },
  { name: "test_controls.csv", folder: "test", controls: true },
] as const;

export const kaggle: Layout = {
  expects: `any of ${files.map(({ name }) => name).join(", ")}, with train/ and test/`,
  detect: async ({ entries }) => entries !== undefined && files.some(({ name }) => entries.includes(name)),
  async open({ root, entries = [] }, opening) {
    const channels = chooseChannels(channelsOfRxrx1, opening);
    const list = siteList(opening);
    const tables: string[] = [];
    for (const file of files) {
      const path = join(root, file.name);
      if (!entries.includes(file.name)) continue;
      tables.push(path);
      await readWells(
        path,
        file,
        root,
        channels.map(({ index }) => index),
        list,
        opening,
      );
    }
    const names = channels.map(({ name }) => name);
    return list.finish({ layout: "kaggle", root, channels: names, tables, taken: [], notes: [] });
  },
};

const readWells = async (
  path: string,
  { folder, controls }: (typeof files)[number],
  root: string,
  channels: readonly number[],
  list: SiteList,
  opening: Opening,
): Promise<void> => {
  const table = await readTable(path, opening);
  const read = openSiteTable(
    table,
    {
      names: { ...usualNames, class: ["sirna"], site: [] },
      needed: ["experiment", "plate", "well", ...(controls ? (["well-type"] as const) : [])],
      cellType: cellTypeOfName,
      numberedPlates: true,
      numberedClasses: true,
      ...(controls ? {} : { wellType: "treatment" }),
    },
    opening,
  );
  if (read === undefined) return;
  const source: SiteSource = {
    place: table.place,
    columns: { site: "well", class: read.roles.get("class") ?? "sirna", wellType: "well_type" },
    images: (_, { experiment, plate, well, site }) =>
      channels.map((channel) =>
        imageAt(join(root, folder, experiment, `Plate${plate}`, `${well}_s${site}_w${channel + 1}.png`)),
      ),
    metadata: () => ({ dataset: folder }),
  };
  for (const { row, site } of read.rows()) {
    for (const number of sitesOfWell) list.add({ ...site, site: number }, source, row);
  }
};
