/** What every reader gives: the experiments of one folder, each loaded when it is wanted. */

import { PlatestreamError } from "../common/errors.ts";
import type { Experiment, Site } from "../screen/experiment.ts";
import type { ImageSource } from "../screen/image-source.ts";
import type { Problems } from "./csv.ts";

export type Layout = "rxrx1" | "kaggle" | "wilds" | "table";

export interface Dataset {
  readonly layout: Layout;
  /** Absolute path of the folder, or of the table. */
  readonly root: string;
  /** Names of the channels in the order of a site's images. */
  readonly channels: readonly string[];
  /** In the order of their names. */
  readonly experiments: readonly { readonly id: string; readonly cellType: string; readonly sites: number }[];
  /** Sites in the order of plate, well and site. */
  load(id: string): Promise<Experiment>;
}

/** One site as its table tells it; the paths of its images are made when its experiment is loaded. */
export interface ListedSite {
  readonly site: Omit<Site, "images">;
  readonly images: () => readonly ImageSource[];
}

const collator = new Intl.Collator("en", { numeric: true });

export const makeDataset = (
  about: Pick<Dataset, "layout" | "root" | "channels">,
  listed: readonly ListedSite[],
  problems: Problems,
): Dataset => {
  const byExperiment = new Map<string, ListedSite[]>();
  for (const each of listed) {
    const sites = byExperiment.get(each.site.experiment);
    if (sites === undefined) byExperiment.set(each.site.experiment, [each]);
    else sites.push(each);
  }
  checkCellTypes(about.root, byExperiment, problems);
  const ids = [...byExperiment.keys()].sort(collator.compare);
  return {
    ...about,
    experiments: ids.map((id) => {
      const sites = byExperiment.get(id)!;
      return { id, cellType: sites[0]!.site.cellType, sites: sites.length };
    }),
    async load(id) {
      const sites = byExperiment.get(id);
      if (sites === undefined) {
        throw new PlatestreamError("invalid-data", `${about.root} has no experiment ${id}; it has ${ids.join(", ")}`);
      }
      const sorted = sites.map(({ site, images }): Site => ({ ...site, images: images() })).sort(bySite);
      return {
        id,
        cellType: sorted[0]!.cellType,
        plates: [...new Set(sorted.map(({ plate }) => plate))],
        sites: sorted,
      };
    },
  };
};

/** An experiment is read by one network, so it has one cell type. */
const checkCellTypes = (
  root: string,
  byExperiment: ReadonlyMap<string, readonly ListedSite[]>,
  problems: Problems,
): void => {
  for (const [id, sites] of byExperiment) {
    const types = [...new Set(sites.map(({ site }) => site.cellType))];
    if (types.length === 1) continue;
    problems.add(
      `${root}: an experiment has one cell type, and ${id} has ${types.join(", ")}; name an experiment for each`,
    );
  }
};

/** Row Z stands before row AA. */
const bySite = (a: Site, b: Site): number =>
  collator.compare(a.plate, b.plate) ||
  a.well.length - b.well.length ||
  (a.well < b.well ? -1 : a.well > b.well ? 1 : a.site - b.site);
