import { mergeMap, type Observable, pipe, tap } from "rxjs";
import {
  type Context,
  defineStage,
  describeFrame,
  type Experiment,
  type Frame,
  mapOrdered,
  PlatestreamError,
  rangeOption,
  readSite,
  readSourceHeader,
  type Site,
  type SiteImage,
  z,
} from "../pipeline/plugin.ts";
import { oddPixels } from "./odd-pixels.ts";

const config = z.strictObject({
  concurrency: z.int().positive().default(4).describe("sites that are decoded at a time"),
  crop: z.int().positive().optional().describe("side of the square to cut out of the middle, in pixels"),
  range: rangeOption,
  illumination: z
    .boolean()
    .default(false)
    .describe("divide images by the illumination functions that the table names (Illum columns)"),
  resize: z.int().positive().optional().describe("side to scale to, after cropping, in pixels"),
});
type Config = z.output<typeof config>;

/** Reads each channel's file, in the order of the channels, into one [C, H, W] array. */
export const decode = defineStage({
  name: "decode",
  description:
    "Reads the image files of a site into one array [channels, height, width]; TIFF and PNG of up to 16 bit.",
  input: "site",
  output: "site-image",
  config,
  apply: (options, context) => {
    let frame: Promise<Frame> | undefined;
    const odd = oddPixels();
    return pipe(
      mapOrdered(options.concurrency, async (site: Site): Promise<SiteImage | undefined> => {
        frame ??= commonFrame(context.experiment, options);
        return decodeSite(site, await frame, options, context);
      }),
      mergeMap((image) => (image === undefined ? [] : [image])),
      tap({ next: odd.look, complete: () => odd.notes().forEach(context.note) }),
    ) as (sites: Observable<Site>) => Observable<SiteImage>;
  },
});

/** The frame that most images of the experiment have: a single odd image must not decide for the others. */
const commonFrame = async ({ sites, id }: Experiment, { crop, resize }: Config): Promise<Frame> => {
  const every = Math.max(1, Math.floor(sites.length / 9));
  const headers = await Promise.allSettled(
    sites.filter((_, index) => index % every === 0).map((site) => readSourceHeader(site.images[0]!)),
  );
  const counts = new Map<string, { frame: Frame; count: number }>();
  for (const header of headers) {
    if (header.status === "rejected") continue;
    const side = resize ?? crop;
    const { bits } = header.value;
    const frame = { width: side ?? header.value.width, height: side ?? header.value.height, bits };
    const entry = counts.get(describeFrame(frame)) ?? { frame, count: 0 };
    counts.set(describeFrame(frame), { ...entry, count: entry.count + 1 });
  }
  const best = [...counts.values()].sort((a, b) => b.count - a.count)[0];
  if (best !== undefined) return best.frame;
  const reason = (headers.find((header) => header.status === "rejected") as PromiseRejectedResult | undefined)?.reason;
  throw new PlatestreamError(
    "unreadable-image",
    `none of ${headers.length} images of experiment ${id} that were tried can be read; the first: ${PlatestreamError.from(reason).rawMessage}`,
  );
};

const decodeSite = async (
  site: Site,
  frame: Frame,
  geometry: Config,
  { memory, signal, leaveOut }: Context,
): Promise<SiteImage | undefined> => {
  const { width, height, bits } = frame;
  const lease = await memory.acquire(site.images.length * width * height * (bits / 8), signal);
  try {
    return { site, ...(await readSite(site.images, geometry, frame)), lease };
  } catch (thrown) {
    lease.release();
    const error = PlatestreamError.from(thrown);
    if (error.code !== "unreadable-image") throw error;
    leaveOut(site, error.rawMessage);
    return undefined;
  }
};
