/** What a screen consists of: experiments of plates, wells and sites, and where the images of a site lie. */

import type { ImageSource } from "./image-source.ts";

export type WellType = "treatment" | "positive_control" | "negative_control";

/** One field of view of one well. */
export interface Site {
  readonly experiment: string;
  readonly cellType: string;
  /** "1" to "4" in RxRx1, a barcode elsewhere. */
  readonly plate: string;
  /** Row letters and a two-digit column, as in "B03". */
  readonly well: string;
  readonly site: number;
  readonly wellType: WellType;
  /** Class of the well, where it is known: in RxRx1 the number of the siRNA as text, "0" to "1138". */
  readonly treatment?: string;
  /** One source per channel, in the order of the channels. */
  readonly images: readonly ImageSource[];
  /** Further columns of the dataset's table, without their `Metadata_` prefix. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Channels {
  /** In the order of a site's images. */
  readonly names: readonly string[];
  /** The user named them one by one, in this order. */
  readonly chosen: boolean;
}

/** One run of a few plates: the unit of work. */
export interface Experiment {
  readonly id: string;
  readonly cellType: string;
  readonly plates: readonly string[];
  /** Absent where they have no names. */
  readonly channels?: Channels;
  readonly sites: readonly Site[];
}
