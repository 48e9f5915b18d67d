/** RxRx1-WILDS: the public release's table, and one RGB image of the first three channels per site. */
import { join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import type { Problems } from "./csv.ts";
import { type Dataset, makeDataset } from "./dataset.ts";
import { channelsOfRxrx1, readSiteTable, type SiteAddress, siteStem, withImages } from "./rxrx1.ts";

const channels = channelsOfRxrx1.slice(0, 3);

export const openWilds = async (root: string, problems: Problems): Promise<Dataset> => {
  const sites = await readSiteTable(join(root, "metadata.csv"), problems);
  const images = (site: SiteAddress) => {
    const path = `${siteStem(root, site)}.png`;
    return channels.map((_, band) => imageAt(path, { band }));
  };
  return makeDataset({ layout: "wilds", root, channels }, withImages(sites, images), problems);
};
