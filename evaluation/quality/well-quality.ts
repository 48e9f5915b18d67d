/** Which wells of an experiment look unlike the others in ways that no treatment explains, and how plates drift. */
import type { ChannelQuality } from "./site-quality.ts";

export interface MeasuredWell {
  readonly plate: string;
  readonly well: string;
  /** [channels], means over the well's sites. */
  readonly channels: readonly ChannelQuality[];
}

export type QualityFlag = "blurred" | "saturated" | "empty";

export interface WellQuality extends MeasuredWell {
  readonly flags: readonly { readonly flag: QualityFlag; readonly channel: number }[];
}

export interface PlateDrift {
  readonly plate: string;
  readonly channel: number;
  /** How many times brighter one end is than the other, along the straight line that fits best. */
  readonly ratio: number;
  readonly along: "rows" | "columns";
}

/** Robust standard deviations from the median of the experiment beyond which a well is flagged. */
const far = 6;
const saturatedShare = 0.02;
/** Drift below this factor is what plates do. */
const leastDrift = 1.5;
/** Share of the variance between wells that the line must explain. */
const leastExplained = 0.5;

export const meanOfSites = (sites: readonly (readonly ChannelQuality[])[]): ChannelQuality[] =>
  sites[0]!.map((_, c) => {
    const mean = (of: (quality: ChannelQuality) => number) =>
      sites.reduce((sum, channels) => sum + of(channels[c]!), 0) / sites.length;
    return {
      mean: mean((quality) => quality.mean),
      contrast: mean((quality) => quality.contrast),
      focus: mean((quality) => quality.focus),
      saturated: mean((quality) => quality.saturated),
    };
  });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** How many robust standard deviations the logarithm of each value lies above the median of all. */
const deviations = (values: readonly number[]): number[] => {
  const logs = values.map((value) => Math.log(Math.max(value, 1e-6)));
  const middle = median(logs);
  const spread = 1.4826 * median(logs.map((value) => Math.abs(value - middle)));
  return logs.map((value) => (value - middle) / Math.max(spread, 0.05));
};

/** Within each plate: plates differ, and what is common to one is no fault of a well. */
export const judgeWells = (wells: readonly MeasuredWell[]): WellQuality[] => {
  const plates = [...new Set(wells.map(({ plate }) => plate))];
  return plates.flatMap((plate) => {
    const own = wells.filter((each) => each.plate === plate);
    const channels = own[0]!.channels.map((_, c) => ({
      focus: deviations(own.map((well) => well.channels[c]!.focus)),
      contrast: deviations(own.map((well) => well.channels[c]!.contrast)),
    }));
    return own.map((well, w) => ({
      ...well,
      flags: channels.flatMap(({ focus, contrast }, channel): WellQuality["flags"][number][] => [
        ...(focus[w]! < -far ? [{ flag: "blurred" as const, channel }] : []),
        ...(contrast[w]! < -far ? [{ flag: "empty" as const, channel }] : []),
        ...(well.channels[channel]!.saturated > saturatedShare ? [{ flag: "saturated" as const, channel }] : []),
      ]),
    }));
  });
};

const place = (well: string): { rows: number; columns: number } => {
  const [, letters = "A", digits = "1"] = /^([A-Z]+)(\d+)$/.exec(well) ?? [];
  return {
    rows: [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0),
    columns: Number(digits),
  };
};

export const plateDrifts = (wells: readonly MeasuredWell[]): PlateDrift[] =>
  [...new Set(wells.map(({ plate }) => plate))].flatMap((plate) => {
    const own = wells.filter((each) => each.plate === plate);
    return own[0]!.channels.flatMap((_, channel) =>
      (["rows", "columns"] as const).flatMap((along): PlateDrift[] => {
        const x = own.map(({ well }) => place(well)[along]);
        const y = own.map((well) => Math.log(Math.max(well.channels[channel]!.mean, 1e-6)));
        const { slope, explained } = line(x, y);
        const ratio = Math.exp(Math.abs(slope) * (Math.max(...x) - Math.min(...x)));
        return own.length >= 8 && explained >= leastExplained && ratio >= leastDrift
          ? [{ plate, channel, ratio, along }]
          : [];
      }),
    );
  });

const line = (x: readonly number[], y: readonly number[]): { slope: number; explained: number } => {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xx, xy, yy] = [0, 0, 0];
  for (const [i, value] of x.entries()) {
    xx += (value - mx) ** 2;
    xy += (value - mx) * (y[i]! - my);
    yy += (y[i]! - my) ** 2;
  }
  return xx === 0 || yy === 0 ? { slope: 0, explained: 0 } : { slope: xy / xx, explained: xy ** 2 / (xx * yy) };
};
