/** Writes one plate of a run for viewers: its images, and beside each what was called. */
import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { makeFolder } from "../../common/make-folder.ts";
import type { WellRow } from "../../pipeline/results/report.ts";
import { callsHeader, callsRows } from "../../pipeline/results/tables.ts";
import { displayRange } from "../../screen/display-range.ts";
import type { Site } from "../../screen/experiment.ts";
import { type ImageLabel, type ShownChannel, writeOmeZarrImage } from "../../screen/formats/ome-zarr/write-image.ts";
import { type WrittenWell, wellFolder, writePlate } from "../../screen/formats/ome-zarr/write-plate.ts";
import { readSite, type SitePixels } from "../../screen/read-site.ts";
import type { ValueRange } from "../../screen/value-range.ts";

export interface PlateExport {
  /** Is made, or not at all. */
  readonly folder: string;
  readonly experiment: string;
  readonly plate: string;
  /** Of this plate. */
  readonly wells: readonly WellRow[];
  readonly sites: readonly Site[];
  readonly channels: readonly string[];
  /** Images of a well, at most. */
  readonly sitesOfWell: number;
  readonly range: ValueRange | undefined;
  readonly signal: AbortSignal;
  onWell(done: number, all: number): void;
}

export interface ExportedPlate {
  readonly images: number;
  /** Images that cannot be read, with the reason. */
  readonly leftOut: readonly string[];
}

/** Images that decide which values are shown as black and white. */
const looksAt = 8;
const layer = "calls";

/** @throws PlatestreamError `invalid-data` where no image of the plate can be read */
export const exportPlate = async (plan: PlateExport): Promise<ExportedPlate> => {
  const { folder, plate, wells, sites, signal, onWell } = plan;
  const part = join(dirname(folder), `.part-${basename(folder)}`);
  await rm(part, { recursive: true, force: true });
  await makeFolder(part);
  try {
    const leftOut: string[] = [];
    const shown = await shownChannels(plan);
    const labels = labelsOf(wells);
    const written: WrittenWell[] = [];
    for (const [done, row] of wells.entries()) {
      let fields = 0;
      for (const site of sites.filter(({ well }) => well === row.well)) {
        signal.throwIfAborted();
        if (fields >= plan.sitesOfWell) break;
        const pixels = await readSite(site.images, { range: plan.range }).catch(orLeftOut(leftOut));
        if (pixels === undefined) continue;
        const at = join(wellFolder(part, row.well), String(fields));
        await writeOmeZarrImage(at, `${row.well} site ${site.site}`, pixels, shown, labels(row));
        fields += 1;
      }
      written.push({ well: row.well, fields, about: propertiesOf(row) });
      onWell(done + 1, wells.length);
    }
    const there = written.filter(({ fields }) => fields > 0);
    await writePlate(part, plate, there);
    await writeFile(join(part, "calls.csv"), callsHeader + callsRows(plan.experiment, wells));
    await rename(part, folder);
    return { images: there.reduce((sum, { fields }) => sum + fields, 0), leftOut };
  } catch (thrown) {
    await rm(part, { recursive: true, force: true });
    throw thrown;
  }
};

const orLeftOut =
  (leftOut: string[]) =>
  (thrown: unknown): undefined => {
    const error = PlatestreamError.from(thrown);
    if (error.code !== "unreadable-image") throw error;
    leftOut.push(error.rawMessage);
  };

/** The same range for the whole plate, so that wells can be compared by eye. */
const shownChannels = async ({ sites, channels, range, experiment, plate }: PlateExport): Promise<ShownChannel[]> => {
  const every = Math.max(1, Math.floor(sites.length / looksAt));
  const some = sites.filter((_, i) => i % every === 0);
  const reasons: string[] = [];
  const seen: SitePixels[] = [];
  for (const { images } of [...some, ...(some.length === sites.length ? [] : sites)]) {
    if (seen.length >= looksAt) break;
    const pixels = await readSite(images, { range }).catch(orLeftOut(reasons));
    if (pixels !== undefined) seen.push(pixels);
  }
  if (seen.length === 0)
    throw new PlatestreamError(
      "invalid-data",
      `no image of ${experiment} plate ${plate} can be read; the first: ${reasons[0]}`,
    );
  return channels.map((label, c) => {
    const ranges = seen.map(({ pixels, width, height }) =>
      displayRange(pixels.subarray(c * width * height, (c + 1) * width * height)),
    );
    return { label, low: Math.min(...ranges.map(([low]) => low)), high: Math.max(...ranges.map(([, high]) => high)) };
  });
};

/** Numbers and colours by class: the same in all wells of a plate. */
const labelsOf = (wells: readonly WellRow[]): ((row: WellRow) => ImageLabel) => {
  const called = [...new Set(wells.flatMap((row) => callOf(row) ?? []))];
  const classes = called.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return (row) => {
    const value = 1 + classes.indexOf(callOf(row) ?? "");
    return { name: layer, value, colour: colourOf(value), properties: propertiesOf(row) };
  };
};

/** Nothing where the well is not called, or its call is open. */
const callOf = ({ call, flags }: WellRow): string | undefined => (flags.includes("open") ? undefined : call?.treatment);

const propertiesOf = (row: WellRow): Readonly<Record<string, string | number>> => {
  const { plate, well, wellType, treatment, call, flags } = row;
  const { confidence, probability, margin } = call ?? {};
  return {
    ...{ plate, well, well_type: wellType, call: callOf(row) ?? "" },
    ...(treatment === undefined ? {} : { sirna: treatment }),
    ...(confidence === undefined ? {} : { confidence }),
    ...(probability === undefined ? {} : { probability }),
    ...(margin === undefined ? {} : { margin }),
    flags: flags.join(" "),
  };
};

/** Hues that lie far from one another for neighbouring numbers, by the golden ratio. */
const colourOf = (value: number): readonly [number, number, number] => {
  if (value === 0) return [128, 128, 128];
  const hue = 6 * ((value * 0.618034) % 1);
  const channel = (n: number) => {
    const k = (n + hue) % 6;
    return Math.round(255 * (1 - Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
};
