/** How a dataset is to be opened, and what comes up while it is. */
import { PlatestreamError } from "../common/errors.ts";
import type { PrefixMap } from "../screen/prefix-map.ts";
import type { SiteAddress } from "./dataset.ts";
import type { Problems } from "./problems.ts";
import type { Role } from "./roles.ts";

export interface OpenOptions {
  /** Name of a layout; `auto` looks at the files. */
  readonly layout?: string | undefined;
  /** Columns of tables that are not recognised by their names: role (`class`) or `image:CHANNEL` to column. */
  readonly columns?: Readonly<Record<string, string>> | undefined;
  /** Rows of tables for which this expression is false are skipped. */
  readonly where?: string | undefined;
  /** Channels to keep, by name, in this order; all of them when absent. */
  readonly channels?: readonly string[] | undefined;
  /** Which plane of a z-stack: its number in the files, or the maximum over all. */
  readonly plane?: number | "max" | undefined;
  /** Which time point, as the files number them. */
  readonly time?: number | undefined;
  /** Level of the pyramid of OME-Zarr images; 0 is full resolution. */
  readonly level?: number | undefined;
  /** How tables are encoded, by a name of the Encoding Standard; found out from the bytes when absent. */
  readonly encoding?: string | undefined;
  /** Table of what is in the wells, for images whose files do not say it. */
  readonly plateMap?: string | undefined;
  /** Images that lie elsewhere than the tables say: prefix of a location to what stands in its place. */
  readonly map?: PrefixMap | undefined;
  /** Tables must really lie under one of these folders, wherever links lead; anywhere when absent. */
  readonly within?: readonly string[] | undefined;
}

/** What is passed to the layout that opens a dataset. */
export interface Opening extends Omit<OpenOptions, "columns" | "layout" | "plateMap"> {
  readonly columns: ChosenColumns;
  readonly plateMap?: PlateMap | undefined;
  readonly problems: Problems;
  /** Says to the user what was guessed or looks odd. */
  note(note: string): void;
  /** Says which part of the files was taken for what: `took("class", "column Metadata_broad_sample")`. */
  took(what: string, from: string): void;
}

/** What is in the wells of images whose files do not say it. */
export interface PlateMap {
  readonly path: string;
  /** The site with what the map says of its well; as it is where the map does not name the well. */
  place(site: SiteAddress): SiteAddress;
  /** The map's columns that have no role. */
  metadata(site: Pick<SiteAddress, "plate" | "well">): Readonly<Record<string, string>>;
  /** After all sites: tells which wells are on one side only, and whether the map fits the images at all. */
  finish(root: string): void;
}

/** Roles and channels with the column that the user chose for each. */
export interface ChosenColumns {
  readonly roles: ReadonlyMap<Role, string>;
  /** Channel to column with the image's path. */
  readonly images: ReadonlyMap<string, string>;
}

/** @throws PlatestreamError `invalid-config` where a role is unknown */
export const readColumns = (choices: Readonly<Record<string, string>>, roles: readonly Role[]): ChosenColumns => {
  const chosen = { roles: new Map<Role, string>(), images: new Map<string, string>() };
  for (const [role, column] of Object.entries(choices)) {
    const known = roles.find((each) => each === role);
    if (known !== undefined) chosen.roles.set(known, column);
    else if (/^image:./.test(role)) chosen.images.set(role.slice("image:".length), column);
    else {
      throw new PlatestreamError(
        "invalid-config",
        `a column is chosen for one of ${roles.join(", ")}, or for image:CHANNEL; got "${role}"`,
      );
    }
  }
  return chosen;
};
