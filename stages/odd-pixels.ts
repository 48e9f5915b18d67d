/** Images that are read right and yet look wrong: nothing to see, or values that a program has shifted. */
import type { SiteImage } from "../pipeline/plugin.ts";

export interface OddPixels {
  look(image: SiteImage): void;
  /** A sentence for each kind that was seen. */
  notes(): readonly string[];
}

export const oddPixels = (): OddPixels => {
  const blank = { sites: 0, first: "" };
  const shifted = { sites: 0, first: "" };
  const count = (kind: typeof blank, { site }: SiteImage, channel: number) => {
    if (kind.sites === 0) kind.first = `plate ${site.plate} ${site.well} site ${site.site}, channel ${channel + 1}`;
    kind.sites += 1;
  };
  return {
    look(image) {
      const area = image.pixels.length / image.channels;
      const channels = Array.from({ length: image.channels }, (_, c) =>
        image.pixels.subarray(c * area, (c + 1) * area),
      );
      const flat = channels.findIndex((pixels) => pixels.every((value) => value === pixels[0]));
      if (flat >= 0) count(blank, image, flat);
      const high = channels.findIndex((pixels) => pixels.every((value) => value >= 32768));
      if (high >= 0) count(shifted, image, high);
    },
    notes: () => [
      ...(blank.sites === 0
        ? []
        : [
            `${blank.sites} sites have a channel of one grey level everywhere, the first is ${blank.first}: nothing can be seen there`,
          ]),
      ...(shifted.sites === 0
        ? []
        : [
            `${shifted.sites} sites have a channel whose values are all 32768 or more, the first is ${shifted.first}: ` +
              "some programs add 32768; standardise (normalize.by=plate) or subtract it",
          ]),
    ],
  };
};
