/** The sites of a dataset as its tables list them: gathered in any order, kept compactly, checked against each other. */
import { PlatestreamError } from "../common/errors.ts";
import type { Site, WellType } from "../screen/experiment.ts";
import { type ImageSource, maximumOf, type PlaneSource } from "../screen/image-source.ts";
import type { Dataset, SiteAddress } from "./dataset.ts";
import type { PlateMap } from "./opening.ts";
import type { Problems } from "./problems.ts";

/** A table, or whatever else lists sites; its rows are numbered. */
export interface SiteSource {
  /** Where a row stands, for messages. */
  place(row: number): string;
  /** Columns that problems of a row are about. */
  readonly columns: { readonly site: string; readonly class: string; readonly wellType: string };
  /** One source per channel. */
  images(row: number, site: SiteAddress): readonly ImageSource[];
  metadata(row: number, site: SiteAddress): Readonly<Record<string, string>>;
}

export interface SiteList {
  add(site: SiteAddress, source: SiteSource, row: number): void;
  /** Sorts what was added, and reports contradictions: a site twice, two classes or types in a well. */
  finish(about: Pick<Dataset, "layout" | "root" | "channels" | "tables" | "taken" | "notes">): Dataset;
}

export interface SiteListOptions {
  readonly problems: Problems;
  /** The channels that the user named, if he did. */
  readonly channels?: readonly string[] | undefined;
  /** Says more of wells than the source of their sites. */
  readonly plateMap?: PlateMap | undefined;
  /** Rows of the same site are planes of a stack, of which the maximum is taken. */
  readonly projects?: boolean;
}

const collator = new Intl.Collator("en", { numeric: true });
const wellTypes: readonly WellType[] = ["treatment", "positive_control", "negative_control"];

/** Different texts, numbered in the order in which they came. */
const numbering = () => {
  const texts: string[] = [];
  const numbers = new Map<string, number>();
  return {
    texts,
    numberOf(text: string): number {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, texts.length);
      return texts.push(text) - 1;
    },
    /** Position of each number in the order of the texts. */
    ranks(): number[] {
      const order = texts.map((_, index) => index).sort((a, b) => collator.compare(texts[a]!, texts[b]!));
      const ranks: number[] = [];
      for (const [rank, index] of order.entries()) ranks[index] = rank;
      return ranks;
    },
  };
};

const planesOf = (source: ImageSource): readonly PlaneSource[] => (source.kind === "plane" ? [source] : source.planes);

/** Row Z stands before row AA. */
const wellOrder = (well: string): number =>
  well.length * 1e8 + well.charCodeAt(0) * 1e6 + Number.parseInt(well.slice(1), 36);

export const siteList = ({ problems, channels, plateMap, projects = false }: SiteListOptions): SiteList => {
  const experiments = numbering();
  const cellTypes = numbering();
  const plates = numbering();
  const wells = numbering();
  const treatments = numbering();
  const sources: SiteSource[] = [];
  // One entry per added row; the texts are kept once.
  const entries = {
    experiment: [] as number[],
    cellType: [] as number[],
    plate: [] as number[],
    well: [] as number[],
    site: [] as number[],
    wellType: [] as number[],
    /** -1: none. */
    treatment: [] as number[],
    source: [] as number[],
    row: [] as number[],
  };
  const addressOf = (entry: number): SiteAddress => {
    const treatment = treatments.texts[entries.treatment[entry]!];
    return {
      experiment: experiments.texts[entries.experiment[entry]!]!,
      cellType: cellTypes.texts[entries.cellType[entry]!]!,
      plate: plates.texts[entries.plate[entry]!]!,
      well: wells.texts[entries.well[entry]!]!,
      site: entries.site[entry]!,
      wellType: wellTypes[entries.wellType[entry]!]!,
      ...(treatment === undefined ? {} : { treatment }),
    };
  };
  const placeOf = (entry: number): string => sources[entries.source[entry]!]!.place(entries.row[entry]!);
  /** A row may list several sites; what is wrong with it is reported once. */
  const reported = new Set<string>();
  const problemAt = (entry: number, column: keyof SiteSource["columns"], rule: string, detail: string): void => {
    const place = placeOf(entry);
    if (reported.has(`${place} ${rule}`)) return;
    reported.add(`${place} ${rule}`);
    problems.add({ place, column: sources[entries.source[entry]!]!.columns[column], rule, detail });
  };

  const checkTwins = (first: number, second: number): void => {
    const { experiment, plate, well, site } = addressOf(first);
    const name = [experiment, plate, well, site].join("/");
    problemAt(second, "site", "expected each site once", `, but ${name} stands in ${placeOf(first)} already`);
  };
  const checkWell = (first: number, entry: number): void => {
    const [one, other] = [addressOf(first), addressOf(entry)];
    if (one.treatment !== other.treatment) {
      const [expected, got] = [one.treatment ?? "none", other.treatment ?? "none"];
      problemAt(
        entry,
        "class",
        "the sites of a well have one class",
        `: ${expected} in ${placeOf(first)}, ${got} here`,
      );
    }
    if (one.wellType !== other.wellType) {
      const detail = `: ${one.wellType} in ${placeOf(first)}, ${other.wellType} here`;
      problemAt(entry, "wellType", "the sites of a well are of one type", detail);
    }
  };
  const imagesOf = (site: SiteAddress, members: readonly number[]): readonly ImageSource[] => {
    const all = members.map((entry) => sources[entries.source[entry]!]!.images(entries.row[entry]!, site));
    const [first] = all;
    if (all.length === 1) return first!;
    return first!.map((_, channel) => maximumOf(all.flatMap((each) => planesOf(each[channel]!))));
  };

  return {
    add(given, source, row) {
      const site = plateMap === undefined ? given : plateMap.place(given);
      entries.experiment.push(experiments.numberOf(site.experiment));
      entries.cellType.push(cellTypes.numberOf(site.cellType));
      entries.plate.push(plates.numberOf(site.plate));
      entries.well.push(wells.numberOf(site.well));
      entries.site.push(site.site);
      entries.wellType.push(wellTypes.indexOf(site.wellType));
      entries.treatment.push(site.treatment === undefined ? -1 : treatments.numberOf(site.treatment));
      if (sources.at(-1) !== source) sources.push(source);
      entries.source.push(sources.length - 1);
      entries.row.push(row);
    },
    finish(about) {
      const rank = {
        experiment: experiments.ranks(),
        plate: plates.ranks(),
        well: ranksBy(wells.texts.map(wellOrder)),
        site: new Map([...new Set(entries.site)].sort((a, b) => a - b).map((site, index) => [site, index])),
      };
      const keys = Float64Array.from(entries.row, (_, entry) => {
        const plate =
          rank.experiment[entries.experiment[entry]!]! * rank.plate.length + rank.plate[entries.plate[entry]!]!;
        return (
          (plate * rank.well.length + rank.well[entries.well[entry]!]!) * rank.site.size +
          rank.site.get(entries.site[entry]!)!
        );
      });
      const order = Uint32Array.from(keys, (_, entry) => entry).sort((a, b) => keys[a]! - keys[b]! || a - b);
      /** Where the rows of each site begin in `order`; one row each, but where stacks are projected. */
      const starts: number[] = [];
      let well = -1;
      for (let at = 0; at < order.length; at++) {
        const entry = order[at]!;
        const before = at === 0 ? undefined : order[at - 1]!;
        const inWell = Math.floor(keys[entry]! / rank.site.size);
        if (before === undefined || inWell !== Math.floor(keys[before]! / rank.site.size)) well = entry;
        else checkWell(well, entry);
        if (before === undefined || keys[before] !== keys[entry]) starts.push(at);
        else if (!projects) checkTwins(order[starts.at(-1)!]!, entry);
      }
      const listed = ranges(starts, (start) => entries.experiment[order[start]!]!).map(({ key, from, to }) => {
        const found = [...new Set(starts.slice(from, to).map((start) => entries.cellType[order[start]!]!))];
        const id = experiments.texts[key]!;
        const names = found.map((cellType) => cellTypes.texts[cellType]!);
        if (names.length > 1) {
          problems.add({
            place: about.root,
            rule: "an experiment has one cell type",
            detail: `, and ${id} has ${names.join(", ")}; name an experiment for each`,
          });
        }
        return { id, cellType: names[0]!, sites: to - from, from, to };
      });
      const rangeOf = (id: string) => {
        const found = listed.find((each) => each.id === id);
        if (found !== undefined) return found;
        const known = listed.map((each) => each.id).join(", ");
        throw new PlatestreamError("invalid-data", `${about.root} has no experiment ${id}; it has ${known}`);
      };
      function* addresses(id: string): Iterable<SiteAddress> {
        const { from, to } = rangeOf(id);
        for (let at = from; at < to; at++) yield addressOf(order[starts[at]!]!);
      }
      function* sites(id: string): Iterable<Site> {
        const { from, to } = rangeOf(id);
        for (let at = from; at < to; at++) {
          const members = [...order.subarray(starts[at]!, projects ? starts[at + 1] : starts[at]! + 1)];
          const entry = members[0]!;
          const site = addressOf(entry);
          const own = sources[entries.source[entry]!]!.metadata(entries.row[entry]!, site);
          const metadata = plateMap === undefined ? own : { ...own, ...plateMap.metadata(site) };
          yield { ...site, images: imagesOf(site, members), metadata };
        }
      }
      return {
        ...about,
        experiments: listed.map(({ id, cellType, sites }) => ({ id, cellType, sites })),
        addresses,
        sites,
        async load(id) {
          const all = [...sites(id)];
          return {
            id,
            cellType: all[0]!.cellType,
            plates: [...new Set(all.map(({ plate }) => plate))],
            channels: { names: about.channels, chosen: channels !== undefined },
            sites: all,
          };
        },
      };
    },
  };
};

const ranksBy = (values: readonly number[]): number[] => {
  const ranks: number[] = [];
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!);
  for (const [rank, index] of order.entries()) ranks[index] = rank;
  return ranks;
};

/** Stretches of equal keys. */
const ranges = (starts: readonly number[], keyOf: (start: number) => number) => {
  const found: { readonly key: number; readonly from: number; to: number }[] = [];
  for (const [at, start] of starts.entries()) {
    const key = keyOf(start);
    const last = found.at(-1);
    if (last?.key === key) last.to = at + 1;
    else found.push({ key, from: at, to: at + 1 });
  }
  return found;
};
