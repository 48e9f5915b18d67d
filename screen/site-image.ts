/** A site with its pixels, and the memory that they hold. */
import type { Site } from "./experiment.ts";

/** Share of a run's memory that an item's pixels hold. Given back once, by whoever is done with the pixels. */
export interface Lease {
  readonly bytes: number;
  /** One more owner: the memory is given back when all owners have released it. */
  retain(): void;
  release(): void;
}

/** Per channel: network input = pixel * scale + offset. */
export interface Affine {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** A site with its pixels, row-major [channels, height, width]. */
export interface SiteImage {
  readonly site: Site;
  readonly pixels: Uint8Array | Uint16Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Unset until `normalize`; the model's own applies where it stays unset. */
  readonly affine?: Affine;
  readonly lease: Lease;
}
