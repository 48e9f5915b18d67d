/** Pictures of sites as the network takes them, decoded off this thread and kept as far as memory allows. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Site } from "../../screen/experiment.ts";
import { type Reading, readSite, type SitePixels } from "../../screen/read-site.ts";
import type { Sample } from "./samples.ts";

export type Picture = SitePixels;

export interface Pictures {
  /** @throws PlatestreamError `unreadable-image`; `invalid-data` for a picture of another depth than the others */
  load(sample: Sample): Promise<Picture>;
  /** Those of many samples. One that cannot be read is replaced by the next of the list that can, and reported once. */
  loadUsable(samples: readonly Sample[]): Promise<readonly Usable[]>;
}

export interface Usable {
  readonly picture: Picture;
  /** The sample that the picture shows: the one asked for, or its replacement. */
  readonly sample: Sample;
}

export interface PictureOptions {
  /** What was decoded is kept as long as it fits; what comes after is decoded every time. */
  readonly cacheBytes: number;
  readonly reading?: Reading;
  /** Called once for every site that cannot be read. */
  readonly onLeftOut?: (site: Site, reason: string) => void;
}

export const openPictures = ({ cacheBytes, reading, onLeftOut }: PictureOptions): Pictures => {
  const kept = new Map<Site, Promise<Picture>>();
  const leftOut = new Set<Site>();
  let bytes = 0;
  let depth: number | undefined;

  const decode = async (site: Site): Promise<Picture> => {
    const picture = await readSite(site.images, reading);
    depth ??= picture.pixels.BYTES_PER_ELEMENT;
    if (picture.pixels.BYTES_PER_ELEMENT === depth) return picture;
    throw new PlatestreamError(
      "invalid-data",
      `all images of a training must have one depth: those of ${nameOf(site)} have ` +
        `${8 * picture.pixels.BYTES_PER_ELEMENT} bit, the first ${8 * depth}`,
    );
  };

  const load = ({ site }: Sample): Promise<Picture> => {
    const known = kept.get(site);
    if (known !== undefined) return known;
    const picture = decode(site);
    if (bytes >= cacheBytes) return picture;
    kept.set(site, picture);
    picture.then(
      ({ pixels }) => {
        if (bytes + pixels.byteLength > cacheBytes) kept.delete(site);
        else bytes += pixels.byteLength;
      },
      () => kept.delete(site),
    );
    return picture;
  };

  const loadOrLeaveOut = async (sample: Sample): Promise<Picture | undefined> => {
    try {
      return await load(sample);
    } catch (thrown) {
      const error = PlatestreamError.from(thrown);
      if (error.code !== "unreadable-image") throw error;
      if (!leftOut.has(sample.site)) onLeftOut?.(sample.site, error.rawMessage);
      leftOut.add(sample.site);
      return undefined;
    }
  };

  return {
    load,
    async loadUsable(samples) {
      const pictures = await Promise.all(samples.map(loadOrLeaveOut));
      return samples.map((_, i) => {
        const turn = samples.findIndex((_, step) => pictures[(i + step) % samples.length] !== undefined);
        if (turn < 0) throw new PlatestreamError("unreadable-image", noneOf(samples));
        const at = (i + turn) % samples.length;
        return { picture: pictures[at]!, sample: samples[at]! };
      });
    },
  };
};

const noneOf = (samples: readonly Sample[]): string =>
  `none of the ${samples.length} sites of a batch can be read, the first is ${nameOf(samples[0]!.site)}; ` +
  "pipeline data verify lists what is wrong";

const nameOf = ({ experiment, plate, well, site }: Site): string => `${experiment} plate ${plate} ${well} site ${site}`;
