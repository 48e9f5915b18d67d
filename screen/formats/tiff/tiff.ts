import type { PlaneAddress } from "../../image-source.ts";
import type { Bytes } from "../../stores/bytes.ts";
import { unreadable } from "../../unreadable.ts";
import type { ValueRange } from "../../value-range.ts";
import { planesAt } from "../axes.ts";
import type { ImageFile, ImageFormat, Plane } from "../format.ts";
import { pixelBits } from "../pixel-values.ts";
import { maximum } from "../projection.ts";
import { type Directory, readDirectories } from "./directory.ts";
import { refuseHiddenStack } from "./hidden-stack.ts";
import { descriptionOf, isThumbnail, type Page, readPage } from "./page.ts";
import { readBands } from "./read-page.ts";
import { plainSeries, type Series, seriesOf } from "./series.ts";

/** TIFF, BigTIFF and OME-TIFF: every lossless encoding of grey, RGB and lookup-table pixels that is not refused by name. */
export const tiff: ImageFormat = {
  name: "TIFF",
  recognises: ([a, b, c, d]) =>
    (a === 0x49 && b === 0x49 && isMagic(c, d)) || (a === 0x4d && b === 0x4d && isMagic(d, c)),
  open: async (bytes) => openTiff(bytes),
};

const isMagic = (low: number | undefined, high: number | undefined): boolean =>
  (low === 42 || low === 43) && high === 0;

const openTiff = async (bytes: Bytes): Promise<ImageFile> => {
  const { littleEndian, directories } = await readDirectories(bytes);
  const full = directories.filter((directory) => !isThumbnail(directory));
  if (full.length === 0) throw unreadable("the file has thumbnails and masks only");
  refuseHiddenStack(full, descriptionOf(directories[0]!));
  const series = seriesReader(descriptionOf(directories[0]!), full, directories);
  const parsed = new Map<Directory, Page>();
  const pageAt = (directory: Directory): Page => {
    const page = parsed.get(directory) ?? readPage(directory);
    parsed.set(directory, page);
    return page;
  };
  const place = (address: PlaneAddress): Place => {
    const { series: known, pages } = series(address);
    const one = seriesAt(known, address);
    const planes = planesAt(one.axes, address).map((plane) => {
      const index = one.page(plane);
      if (index === undefined) throw unreadable(`plane ${plane} of this image lies in another file of its set`);
      if (index < pages.length) return pages[index]!;
      throw unreadable(`the file is damaged: page ${index} is missing, it has ${pages.length} pages`);
    });
    return { planes, band: bandOf(pageAt(planes[0]!), address) };
  };
  return {
    header: async (address) => {
      const { width, height, bits, format } = pageAt(place(address).planes[0]!);
      return { width, height, bits: pixelBits(bits, format) };
    },
    read: async (addresses, range) => readPlaces(bytes, addresses.map(place), pageAt, littleEndian, range),
  };
};

interface PagesOfSeries {
  readonly series: readonly Series[];
  readonly pages: readonly Directory[];
}

/** A page on its own is what it is, whatever set it belongs to; else the file's words say what its pages are. */
const seriesReader = (description: string, full: readonly Directory[], all: readonly Directory[]) => {
  const plain = { series: [plainSeries(full.length)], pages: full };
  let described: readonly Series[] | undefined;
  return ({ series, frame, channel, z, t }: PlaneAddress): PagesOfSeries => {
    const addressed = [series, frame, channel, z, t].some((each) => each !== undefined);
    if (full.length === 1 && !addressed && !description.startsWith("ImageJ=")) return plain;
    described ??= seriesOf(description, all.length);
    return described === undefined ? plain : { series: described, pages: all };
  };
};

interface Place {
  /** Several for a projection. */
  readonly planes: readonly Directory[];
  readonly band: number;
}

const readPlaces = async (
  bytes: Bytes,
  places: readonly Place[],
  pageAt: (directory: Directory) => Page,
  littleEndian: boolean,
  range: ValueRange | undefined,
): Promise<Plane[]> => {
  const bands = new Map<Directory, Set<number>>();
  for (const { planes, band } of places)
    for (const plane of planes) bands.set(plane, (bands.get(plane) ?? new Set()).add(band));
  const read = new Map<Directory, Map<number, Plane>>();
  for (const [directory, wanted] of bands) {
    const list = [...wanted];
    const planes = await readBands(bytes, pageAt(directory), list, littleEndian, range);
    read.set(directory, new Map(list.map((band, i) => [band, planes[i]!])));
  }
  return places.map(({ planes, band }) => maximum(planes.map((plane) => read.get(plane)!.get(band)!)));
};

const seriesAt = (series: readonly Series[], { series: wanted }: PlaneAddress): Series => {
  if (wanted === undefined && series.length > 1)
    throw unreadable(`the file has ${series.length} images; name one per channel (columns Series_<channel>)`);
  const found = series[wanted ?? 0];
  if (found !== undefined) return found;
  throw unreadable(`image ${wanted} is asked for (series, counted from 0), and the file has ${series.length}`);
};

const bandOf = ({ samples, colour }: Page, { band }: PlaneAddress): number => {
  if (band === undefined && samples > 1)
    throw unreadable(
      `the file has ${samples} numbers per pixel (${colour === "rgb" ? "a colour image" : "several channels"}), ` +
        "and the dataset does not say which is this channel; save one grey image per channel",
    );
  if ((band ?? 0) < samples) return band ?? 0;
  throw unreadable(`value ${(band ?? 0) + 1} of every pixel is needed, the file has ${samples} per pixel`);
};
