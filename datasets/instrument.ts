/**
 * What instruments write: one image per site, channel, plane and time point, and no word about what is in the wells. Layouts
 * say what each image shows; here one image per channel is chosen of every site.
 */
import { PlatestreamError } from "../common/errors.ts";
import { type ImageSource, maximumOf, type PlaneSource } from "../screen/image-source.ts";
import { chooseChannels } from "./channels.ts";
import type { Dataset } from "./dataset.ts";
import type { Opening } from "./opening.ts";
import { type SiteSource, siteList } from "./site-list.ts";

export interface InstrumentImage {
  readonly plate: string;
  readonly well: string;
  readonly site: number;
  /** Its name, or its number as text. */
  readonly channel: string;
  /** "projection" where the instrument has projected the stack itself. */
  readonly plane: number | "projection";
  readonly time: number;
  readonly source: PlaneSource;
}

interface InstrumentFiles {
  readonly layout: string;
  /** The folder; its name is the experiment's. */
  readonly root: string;
  readonly experiment: string;
  readonly images: readonly InstrumentImage[];
  /** Files that list the images. */
  readonly tables: readonly string[];
}

const { compare } = new Intl.Collator("en", { numeric: true });

export const openInstrument = (files: InstrumentFiles, opening: Opening): Dataset => {
  const { layout, root, experiment, tables } = files;
  if (files.images.length === 0) {
    throw new PlatestreamError("invalid-data", `${root} lists no image that can be read`);
  }
  const images = chooseTime(files.images, opening, root);
  const names = [...new Set(images.map(({ channel }) => channel))].sort(compare);
  const channels = chooseChannels(names, opening);
  const choose = planeChoice(images, opening, root);
  const sites = new Map<string, InstrumentImage[]>();
  for (const image of images) {
    const key = `${image.plate}\n${image.well}\n${image.site}`;
    const known = sites.get(key);
    if (known === undefined) sites.set(key, [image]);
    else known.push(image);
  }
  const listed: (readonly ImageSource[])[] = [];
  const source: SiteSource = {
    place: () => root,
    columns: { site: "site", class: "class", wellType: "well-type" },
    images: (row) => listed[row]!,
    metadata: () => ({}),
  };
  const list = siteList(opening);
  for (const of of sites.values()) {
    const { plate, well, site } = of[0]!;
    const chosen = channels.map(({ name }) => choose(of.filter(({ channel }) => channel === name)));
    const missing = channels.filter((_, index) => chosen[index] === undefined).map(({ name }) => name);
    if (missing.length > 0) {
      const rest = names.filter((name) => !missing.includes(name));
      opening.problems.add({
        place: root,
        rule: `plate ${plate} has sites without an image of channel ${missing.join(", ")}`,
        detail: `: well ${well} site ${site}; leave the channel out with --channels ${rest.join(",")}`,
      });
      continue;
    }
    list.add({ experiment, cellType: "unknown", plate, well, site, wellType: "treatment" }, source, listed.length);
    listed.push(chosen as ImageSource[]);
  }
  opening.took("experiment", "the name of the folder");
  return list.finish({ layout, root, channels: channels.map(({ name }) => name), tables, taken: [], notes: [] });
};

const chooseTime = (
  images: readonly InstrumentImage[],
  { time, problems, took }: Opening,
  root: string,
): readonly InstrumentImage[] => {
  const times = [...new Set(images.map((image) => image.time))].sort((a, b) => a - b);
  if (times.length < 2 && time === undefined) return images;
  const wanted = time ?? times[0]!;
  if (time === undefined || !times.includes(time)) {
    problems.add({
      place: root,
      rule: time === undefined ? "there are several time points" : `--time ${time} is not one of the time points`,
      detail: ` (${times.join(", ")}): choose one with --time ${times[0]}`,
    });
  } else took("time", `time point ${time} of ${times.join(", ")}`);
  return images.filter((image) => image.time === wanted);
};

/** Of the images of one channel of one site, the one that is read; undefined where there is none. */
const planeChoice = (
  images: readonly InstrumentImage[],
  { plane, problems, took }: Opening,
  root: string,
): ((images: readonly InstrumentImage[]) => ImageSource | undefined) => {
  const planes = [...new Set(images.flatMap((image) => (image.plane === "projection" ? [] : [image.plane])))];
  planes.sort((a, b) => a - b);
  if (planes.length > 1 && plane !== undefined) {
    const known = plane === "max" || planes.includes(plane);
    if (known) took("planes", plane === "max" ? `the maximum over ${planes.length} planes` : `plane ${plane}`);
    else {
      const detail = ` (${planes.join(", ")})`;
      problems.add({ place: root, rule: `--plane ${plane} is not one of the planes`, detail });
    }
  }
  let asked = false;
  return (all) => {
    const stack = all.filter((image) => image.plane !== "projection");
    const projection = all.find((image) => image.plane === "projection");
    // A channel that was taken in one plane only has nothing to choose.
    if (all.length <= 1) return all[0]?.source;
    if (plane === "max") return stack.length > 1 ? maximumOf(stack.map(({ source }) => source)) : stack[0]!.source;
    if (plane !== undefined) return (stack.find((image) => image.plane === plane) ?? stack[0]!).source;
    if (projection !== undefined) {
      took("planes", "the instrument's own projection, where there is one");
      return projection.source;
    }
    if (!asked) {
      const middle = planes[Math.floor(planes.length / 2)];
      const detail = ` (${planes.join(", ")}): choose one with --plane ${middle}, or their maximum with --plane max`;
      problems.add({ place: root, rule: "the sites are stacks of planes", detail });
    }
    asked = true;
    return stack[0]!.source;
  };
};
