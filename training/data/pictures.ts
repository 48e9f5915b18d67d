/** Pictures of sites as the network takes them, decoded off this thread and kept as far as memory allows. */

import { PlatestreamError } from "../../common/errors.ts";
import type { Site } from "../../screen/experiment.ts";
import { decodeImage } from "../../screen/images.ts";
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

const nameOf = ({ experiment, plate, well, site }: Site): string => `${experiment} plate ${plate} ${well} site ${site}`;

const decode = async (site: Site): Promise<Picture> => {
  const bands = await Promise.all(site.images.map(({ path }) => decodeImage(path)));
  const { height, width } = bands[0]!;
  const pixels = new Uint8Array(bands.length * height * width);
  bands.forEach((band, channel) => {
    const { path, band: index } = site.images[channel]!;
    if (!(band.pixels instanceof Uint8Array))
      throw new PlatestreamError("invalid-data", `${path} has 16 bits per pixel; training takes 8: convert the images`);
    if (band.height !== height || band.width !== width)
      throw new PlatestreamError(
        "invalid-data",
        `${path} has ${band.width}x${band.height} pixels, the first channel of ${nameOf(site)} ${width}x${height}`,
      );
    const at = channel * height * width;
    if (band.bands === 1) pixels.set(band.pixels, at);
    else for (let i = 0; i < height * width; i++) pixels[at + i] = band.pixels[i * band.bands + index]!;
  });
  return { pixels, channels: bands.length, height, width };
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
