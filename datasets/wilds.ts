/** RxRx1-WILDS: the public release's table, and one RGB image of the first three channels per site. */
import { join } from "node:path";
import { imageAt } from "../screen/image-source.ts";
import { namesInIfAny } from "./folders.ts";
import type { Layout } from "./layout.ts";
import { channelsOfRxrx1, openReleased } from "./rxrx1.ts";

export const wilds: Layout = {
  expects: "metadata.csv and images/<experiment>/Plate<n>/<well>_s<site>.png, in colour",
  async detect({ root, entries }) {
    if (!entries?.includes("metadata.csv") || !entries.includes("images")) return false;
    return hasColourImages(join(root, "images"));
  },
  open: (place, opening) =>
    openReleased(place, opening, {
      layout: "wilds",
      channels: async () => channelsOfRxrx1.slice(0, 3),
      image: (stem, channel) => imageAt(`${stem}.png`, { band: channel }),
    }),
};

/** WILDS has one file per site, `B02_s1.png`; RxRx1 one per channel, `B02_s1_w1.png`. The first file found decides. */
const hasColourImages = async (images: string): Promise<boolean> => {
  for (const experiment of await namesInIfAny(images)) {
    for (const plate of await namesInIfAny(join(images, experiment))) {
      const files = await namesInIfAny(join(images, experiment, plate));
      const file = files.find((name) => /_s\d+(?:_w\d+)?\.png$/.test(name));
      if (file !== undefined) return !file.includes("_w");
    }
  }
  return false;
};
