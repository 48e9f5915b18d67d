/** What every layout gives: the experiments of one folder, each loaded when it is wanted. */
import type { Experiment, Site } from "../screen/experiment.ts";

/** A site without its images: cheap to make and to pass over by the hundred thousand. */
export type SiteAddress = Pick<Site, "experiment" | "cellType" | "plate" | "well" | "site" | "wellType" | "treatment">;

export interface ListedExperiment {
  readonly id: string;
  readonly cellType: string;
  readonly sites: number;
}

export interface Dataset {
  /** Name of its layout. */
  readonly layout: string;
  /** Absolute path of the folder, or of the table. */
  readonly root: string;
  /** Names of the channels in the order of a site's images. */
  readonly channels: readonly string[];
  /** In the order of their names. */
  readonly experiments: readonly ListedExperiment[];
  /** Files that say what the dataset holds: where one of them changes, the dataset may have. */
  readonly tables: readonly string[];
  /** What was taken for what, in the order of importance. */
  readonly taken: readonly { readonly what: string; readonly from: string }[];
  /** What was guessed, and what looks odd without being wrong. */
  readonly notes: readonly string[];
  /** Sites in the order of plate, well and site, one after the other, without their images. */
  addresses(id: string): Iterable<SiteAddress>;
  /** The same sites with their images, made one at a time. */
  sites(id: string): Iterable<Site>;
  /** All of one experiment. */
  load(id: string): Promise<Experiment>;
}

/** What a run and a training need of a dataset; a test or another program can make it of anything. */
export type LoadableDataset = Pick<Dataset, "root" | "channels" | "experiments" | "load">;
