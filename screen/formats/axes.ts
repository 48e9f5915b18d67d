/** Channel, z and time of an image with several planes, and which plane an address means. */
import type { PlaneAddress } from "../image-source.ts";
import { unreadable } from "../unreadable.ts";

export interface Axes {
  /** From the fastest to the slowest. */
  readonly order: "czt" | "ctz" | "zct" | "ztc" | "tcz" | "tzc";
  readonly c: number;
  readonly z: number;
  readonly t: number;
  /** Planes that can only be counted, in files that say nothing about their meaning. */
  readonly frames?: number;
  /** Names of the channels; empty where the file has none. */
  readonly channels: readonly string[];
}

export interface PlaneIndex {
  readonly c: number;
  readonly z: number;
  readonly t: number;
}

export const planeCount = ({ c, z, t, frames }: Axes): number => frames ?? c * z * t;

/** Number of a plane in the order of the axes. */
export const indexOf = (axes: Axes, at: PlaneIndex): number => {
  let [index, step] = [0, 1];
  for (const axis of axes.order) {
    index += at[axis as keyof PlaneIndex] * step;
    step *= axes[axis as keyof PlaneIndex];
  }
  return index;
};

/** Numbers of the planes that the address means: one, or all z-planes of a maximum projection. */
export const planesAt = (axes: Axes, address: PlaneAddress): readonly number[] => {
  const { frame, z } = address;
  const planes = planeCount(axes);
  if (frame !== undefined) {
    if (frame < planes) return [frame];
    throw unreadable(`plane ${frame} is asked for (counted from 0), and the file has ${planes}`);
  }
  if (axes.frames !== undefined && axes.frames > 1)
    throw unreadable(
      `the file has ${axes.frames} pages and does not say what they are; name one per channel (columns Frame_<channel>)`,
    );
  const c = channelAt(axes, address.channel);
  const t = positionAt("time points", "t", axes.t, address.t);
  if (z === "maximum") return Array.from({ length: axes.z }, (_, each) => indexOf(axes, { c, z: each, t }));
  return [indexOf(axes, { c, z: positionAt("z-planes", "z", axes.z, z), t })];
};

const channelAt = ({ c, channels }: Axes, wanted: number | string | undefined): number => {
  if (typeof wanted !== "string") return positionAt("channels", "channel", c, wanted, channels);
  const found = channels.indexOf(wanted);
  if (found < 0)
    throw unreadable(`channel "${wanted}" is asked for, and the file has ${channels.join(", ") || "no names"}`);
  if (channels.lastIndexOf(wanted) !== found) throw unreadable(`two channels of the file are called "${wanted}"`);
  return found;
};

const positionAt = (
  what: string,
  name: string,
  size: number,
  wanted?: number,
  names: readonly string[] = [],
): number => {
  const listed = names.some((each) => each !== "") ? ` (${names.join(", ")})` : "";
  if (wanted === undefined && size > 1)
    throw unreadable(`the file has ${size} ${what}${listed}, and the dataset does not say which to read`);
  if ((wanted ?? 0) < size) return wanted ?? 0;
  throw unreadable(`${name} ${wanted} is asked for (counted from 0), and the file has ${size} ${what}${listed}`);
};
