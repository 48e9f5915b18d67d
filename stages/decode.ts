import { mergeMap, type Observable, pipe } from "rxjs";
import {
  type Context,
  decodeImage,
  defineStage,
  type Experiment,
  mapOrdered,
  PlatestreamError,
  readImageHeader,
  type Site,
  type SiteImage,
  z,
} from "../pipeline/plugin.ts";

const config = z.strictObject({
  concurrency: z.int().positive().default(4).describe("sites that are decoded at a time"),
  crop: z.int().positive().optional().describe("side of the square to cut out of the middle, in pixels"),
  resize: z.int().positive().optional().describe("side to scale to, after cropping, in pixels"),
});
type Config = z.output<typeof config>;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly bits: 8 | 16;
}

/** Reads each channel's file, in the order of the channels, into one [C, H, W] array. */
export const decode = defineStage({
  name: "decode",
  description: "Reads the image files of a site into one array [channels, height, width]; 8 and 16 bit PNG and TIFF.",
  input: "site",
  output: "site-image",
  config,
  apply: (options, context) => {
    let frame: Promise<Frame> | undefined;
    return pipe(
      mapOrdered(options.concurrency, async (site: Site): Promise<SiteImage | undefined> => {
        frame ??= commonFrame(context.experiment, options);
        return decodeSite(site, await frame, options, context);
      }),
      mergeMap((image) => (image === undefined ? [] : [image])),
    ) as (sites: Observable<Site>) => Observable<SiteImage>;
  },
});

/** The frame that most images of the experiment have: a single odd image must not decide for the others. */
const commonFrame = async ({ sites, id }: Experiment, { crop, resize }: Config): Promise<Frame> => {
  const every = Math.max(1, Math.floor(sites.length / 9));
  const headers = await Promise.allSettled(
    sites.filter((_, index) => index % every === 0).map((site) => readImageHeader(site.images[0]!.path)),
  );
  const counts = new Map<string, { frame: Frame; count: number }>();
  for (const header of headers) {
    if (header.status === "rejected") continue;
    const side = resize ?? crop;
    const { bits } = header.value;
    const frame = { width: side ?? header.value.width, height: side ?? header.value.height, bits };
    const entry = counts.get(describe(frame)) ?? { frame, count: 0 };
    counts.set(describe(frame), { ...entry, count: entry.count + 1 });
  }
  const best = [...counts.values()].sort((a, b) => b.count - a.count)[0];
  if (best !== undefined) return best.frame;
  const reason = (headers.find((header) => header.status === "rejected") as PromiseRejectedResult | undefined)?.reason;
  throw new PlatestreamError(
    "unreadable-image",
    `none of ${headers.length} images of experiment ${id} that were tried can be read; the first: ${PlatestreamError.from(reason).rawMessage}`,
  );
};

const describe = ({ width, height, bits }: Frame): string => `${width}x${height} pixels of ${bits} bit`;

const decodeSite = async (
  site: Site,
  frame: Frame,
  geometry: Config,
  { memory, signal, leaveOut }: Context,
): Promise<SiteImage | undefined> => {
  const { width, height, bits } = frame;
  const channels = site.images.length;
  const area = width * height;
  const lease = await memory.acquire(channels * area * (bits / 8), signal);
  try {
    const pixels = bits === 8 ? new Uint8Array(channels * area) : new Uint16Array(channels * area);
    const files = new Map(site.images.map(({ path }) => [path, decodeImage(path, geometry)]));
    await Promise.all(files.values());
    for (const [channel, { path, band }] of site.images.entries()) {
      const image = await files.get(path)!;
      const got = {
        width: image.width,
        height: image.height,
        bits: image.pixels.BYTES_PER_ELEMENT === 1 ? 8 : 16,
      } as const;
      if (describe(got) !== describe(frame)) {
        throw new PlatestreamError(
          "unreadable-image",
          `${path}: the images of this experiment have ${describe(frame)}, this one has ${describe(got)}`,
        );
      }
      if (band >= image.bands) {
        throw new PlatestreamError(
          "unreadable-image",
          `${path}: band ${band + 1} is needed, the file has ${image.bands}`,
        );
      }
      if (image.bands === 1) pixels.set(image.pixels, channel * area);
      else for (let i = 0; i < area; i++) pixels[channel * area + i] = image.pixels[i * image.bands + band]!;
    }
    return { site, pixels, channels, height, width, lease };
  } catch (thrown) {
    lease.release();
    const error = PlatestreamError.from(thrown);
    if (error.code !== "unreadable-image") throw error;
    leaveOut(site, error.rawMessage);
    return undefined;
  }
};
