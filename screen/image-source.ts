/** Where one channel of a site lies. Dataset layouts make sources, this room reads them, everybody else passes them on. */

export type ImageSource = PlaneSource | ProjectionSource;

/** One plane of one file, folder or object in a store. */
export interface PlaneSource {
  readonly kind: "plane";
  /** Absolute path, or URL (`https:`, `s3:`). */
  readonly location: string;
  /** Which plane; not needed where the file holds only one. */
  readonly plane?: PlaneAddress;
  /** What the bytes of the file must hash to, where the dataset says so. */
  readonly checksum?: Checksum;
  /** Where the illumination function lies that the pixels are divided by. */
  readonly illumination?: string;
}

/** The largest value of every pixel over planes that lie in several files. */
export interface ProjectionSource {
  readonly kind: "maximum";
  readonly planes: readonly PlaneSource[];
}

/** Everything counts from 0. What is not given must have one entry in the file. */
export interface PlaneAddress {
  /** Image within the file, where the file holds several (OME-TIFF series, field of an OME-Zarr well). */
  readonly series?: number;
  /** Plane within the series, counted over channel, z and time in the file's own order; a page of a plain TIFF. */
  readonly frame?: number;
  /** By name only where the file names its channels. */
  readonly channel?: number | string;
  readonly z?: number | "maximum";
  readonly t?: number;
  /** Sample of a pixel, in colour files that hold one channel of the experiment per sample. */
  readonly band?: number;
  /** Level of the pyramid; 0 is full resolution. */
  readonly level?: number;
}

export interface Checksum {
  readonly algorithm: "md5" | "sha256";
  /** Lower case. */
  readonly hex: string;
}

export const imageAt = (
  location: string,
  plane?: PlaneAddress,
  about: Pick<PlaneSource, "checksum" | "illumination"> = {},
): PlaneSource => ({ kind: "plane", location, ...(plane === undefined ? {} : { plane }), ...about });

export const maximumOf = (planes: readonly PlaneSource[]): ProjectionSource => ({ kind: "maximum", planes });

/** Every file that the source reads, illumination functions included. */
export const locationsOf = (source: ImageSource): readonly string[] =>
  (source.kind === "plane" ? [source] : source.planes).flatMap(({ location, illumination }) =>
    illumination === undefined ? location : [location, illumination],
  );
