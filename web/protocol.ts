/** What server and page of the plate map say to each other, as JSON. Types only: both sides are built from this file. */

/** What the page shows, and what of it can be had. */
export interface About {
  /** Where it comes from, in words: a folder, the URL of a bus, the address of a results service. */
  readonly source: string;
  readonly version: string;
  /** Names of the channels of a site; empty where no dataset is at hand. */
  readonly channels: readonly string[];
  /** Sites can be shown as pictures. */
  readonly pictures: boolean;
  /** Features of the wells are at hand: similar wells, principal components, the map of profiles. */
  readonly profiles: boolean;
  /** Another run that is shown beside this one, in words. */
  readonly beside?: string;
  /** Distinguishes this server process from the next: row numbers of one mean nothing to the other. */
  readonly epoch: string;
}

export type ExperimentState = "listed" | "queued" | "running" | "waiting" | "done" | "failed";

export interface ExperimentRow {
  readonly id: string;
  readonly cellType: string;
  readonly plates: readonly string[];
  readonly state: ExperimentState;
  readonly attempts: number;
  /** Why it failed, or is tried again. */
  readonly reason?: string;
  readonly wells: number;
  readonly called: number;
  /** Sites that are through with the network, of all; absent where nobody says. */
  readonly progress?: { readonly sites: number; readonly of: number };
  readonly imagesPerSecond?: number;
  readonly secondsLeft?: number;
  readonly seconds?: number;
  /** Which node has it in hand, or had it last. */
  readonly node?: string;
  readonly notes: readonly string[];
}

/** One well. What is not known is absent. */
export interface WellRow {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly wellType: string;
  /** What the dataset says that it holds. */
  readonly treatment?: string;
  readonly call?: string;
  /** The network's own probability of the call. */
  readonly probability?: number;
  /** Probability that the call is right, given the plate design. */
  readonly confidence?: number;
  readonly margin?: number;
  readonly plateGroup?: number;
  readonly strategy?: string;
  /** What each strategy calls. */
  readonly byStrategy?: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  /** Why sites of the well were left out. */
  readonly reasons: readonly string[];
  readonly metadata: Readonly<Record<string, string | number>>;
}

export interface NodeRow {
  readonly node: string;
  readonly host: string;
  readonly cellTypes: readonly string[];
  readonly running: readonly string[];
  readonly draining: boolean;
}

export interface WorkerRow {
  readonly address: string;
  readonly host: string;
  readonly provider: string;
  readonly models: readonly string[];
  /** Requests in hand. */
  readonly load: number;
}

export interface Activity {
  readonly nodes: readonly NodeRow[];
  readonly workers: readonly WorkerRow[];
  /** No more events will come: the run has ended. */
  readonly ended: boolean;
}

/** One message of the stream: rows that are new or have changed. Applying one twice changes nothing. */
export interface Change {
  /** Row number of the newest change; go on after it. */
  readonly seq: number;
  readonly experiments: readonly ExperimentRow[];
  readonly wells: readonly WellRow[];
  readonly activity?: Activity;
}

/** All rows, column by column: a tenth of the size of a list of rows. */
export interface Snapshot {
  readonly epoch: string;
  readonly seq: number;
  readonly experiments: readonly ExperimentRow[];
  readonly wells: Columns;
  readonly activity: Activity;
}

/** Texts are numbers into `texts`, -1 for none. */
export interface Columns {
  readonly count: number;
  readonly texts: readonly string[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
  readonly metadata: Readonly<Record<string, MetadataColumn>>;
}

export type MetadataColumn =
  | { readonly kind: "text"; readonly values: readonly number[] }
  | { readonly kind: "number"; readonly values: readonly (number | null)[] };

/** What only the panel of one well needs. */
export interface WellDetail {
  readonly alternatives: readonly { readonly treatment: string; readonly probability: number }[];
  readonly sites: readonly SiteDetail[];
  readonly similar: readonly {
    readonly experiment: string;
    readonly plate: string;
    readonly well: string;
    /** Correlation of the features, after the mean of all wells is taken off. */
    readonly similarity: number;
  }[];
  readonly model?: string;
  readonly statistics?: string;
}

export interface SiteDetail {
  readonly site: number;
  /** Most probable class of this site alone. */
  readonly vote?: { readonly treatment: string; readonly probability: number };
  readonly pictures: boolean;
}

/** Principal components of the profiles: `scores` is [wells, components] as base64 of float32. */
export interface Profiles {
  readonly components: number;
  readonly wells: readonly (readonly [experiment: string, plate: string, well: string])[];
  readonly scores: string;
  /** Share of the variance that each component holds. */
  readonly explained: readonly number[];
}
