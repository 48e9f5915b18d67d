/** Single channels of sites as PNG, made when somebody looks at them. */
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../../common/errors.ts";
import { displayRange } from "../../screen/display-range.ts";
import { encodeGreyPng } from "../../screen/images.ts";
import { readSite } from "../../screen/read-site.ts";
import type { ScreenFiles } from "./view-source.ts";

export interface Picture {
  readonly png: Buffer;
  /** Grey levels of the file that are black and white in the picture. */
  readonly low: number;
  readonly high: number;
  /** Largest value that the channel can have. */
  readonly most: number;
}

export interface PictureRequest {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly site: number;
  readonly channel: number;
  /** Absent: the 0.1st and the 99.9th percentile of the channel. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

export interface Pictures {
  picture(request: PictureRequest): Promise<Picture>;
  /** Numbers of the sites of a well. */
  sites(experiment: string, plate: string, well: string): Promise<readonly number[]>;
}

const cacheBytes = 128 * 2 ** 20;
const atATime = 2;
/** Waiting longer than this many is refused: whoever looks has gone on by then. */
const mostWaiting = 64;

/** Which files are read is the dataset's to say: a request only names a site of it. */
export const openPictures = (files: ScreenFiles): Pictures => {
  const cache = new LRUCache<string, Picture>({ maxSize: cacheBytes, sizeCalculation: ({ png }) => png.length + 200 });
  const experiments = new LRUCache<string, ReturnType<ScreenFiles["load"]>>({ max: 8 });
  const known = new Set(files.experiments.map(({ id }) => id));
  const take = limiter();

  const sitesOf = async (experiment: string, plate: string, well: string) => {
    if (!known.has(experiment)) return [];
    const loaded = experiments.get(experiment) ?? files.load(experiment);
    experiments.set(experiment, loaded);
    return (await loaded).sites.filter((site) => site.plate === plate && site.well === well);
  };

  return {
    async picture(request) {
      const key = JSON.stringify(request);
      const there = cache.get(key);
      if (there !== undefined) return there;
      const { experiment, plate, well, channel } = request;
      const site = (await sitesOf(experiment, plate, well)).find((each) => each.site === request.site);
      const image = site?.images[channel];
      if (image === undefined) {
        throw new PlatestreamError("invalid-request", "the dataset has no such site and channel");
      }
      const made = await take(async () => {
        const { pixels, width, height } = await readSite([image]);
        const [low, high] = limits(pixels, request);
        const png = await encodeGreyPng(stretch(pixels, low, high), width, height);
        return { png, low, high, most: pixels instanceof Uint8Array ? 255 : 65_535 };
      });
      cache.set(key, made);
      return made;
    },
    sites: async (experiment, plate, well) => (await sitesOf(experiment, plate, well)).map(({ site }) => site),
  };
};

type Pixels = Awaited<ReturnType<typeof readSite>>["pixels"];

const limits = (pixels: Pixels, { low, high }: PictureRequest): readonly [number, number] => {
  if (low !== undefined && high !== undefined) return [low, Math.max(high, low + 1)];
  const [darkest, brightest] = displayRange(pixels);
  const from = low ?? darkest;
  return [from, Math.max(high ?? brightest, from + 1)];
};

const stretch = (pixels: Pixels, low: number, high: number): Uint8Array => {
  const scale = 255 / (high - low);
  const grey = new Uint8ClampedArray(pixels.length);
  for (let i = 0; i < pixels.length; i++) grey[i] = (pixels[i]! - low) * scale;
  return new Uint8Array(grey.buffer);
};

const limiter = () => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atATime) {
      if (waiting.length >= mostWaiting)
        throw new PlatestreamError("too-many-calls", "too many pictures are asked for");
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
};
