/** Pictures of sites as the network takes them, decoded off this thread and kept as far as memory allows. */

import { PlatestreamError } from "../../common/errors.ts";
import type { Site } from "../../screen/experiment.ts";
import { readSite } from "../../screen/read-site.ts";
import type { Sample } from "./samples.ts";

/** [C, height, width], 8 bit. */
export interface Picture {
  readonly pixels: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface Pictures {
  load(sample: Sample): Promise<Picture>;
}

const decode = async ({ images }: Site): Promise<Picture> => {
  const { pixels, ...shape } = await readSite(images);
  if (!(pixels instanceof Uint8Array))
    throw new PlatestreamError(
      "invalid-data",
      "the images have 16 bits per pixel; training takes 8: convert the images",
    );
  return { pixels, ...shape };
};

/** Keeps what was decoded as long as it fits into `cacheBytes`; what comes after is decoded every time. */
export const openPictures = (cacheBytes: number): Pictures => {
  const kept = new Map<Site, Promise<Picture>>();
  let bytes = 0;
  return {
    load({ site }) {
      const known = kept.get(site);
      if (known !== undefined) return known;
      const picture = decode(site);
      if (bytes >= cacheBytes) return picture;
      kept.set(site, picture);
      picture.then(
        ({ pixels }) => {
          if (bytes + pixels.length > cacheBytes) kept.delete(site);
          else bytes += pixels.length;
        },
        () => kept.delete(site),
      );
      return picture;
    },
  };
};
