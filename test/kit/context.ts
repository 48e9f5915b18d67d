/** What a stage gets, made by hand. */
import { from, lastValueFrom, toArray } from "rxjs";
import { sourceServing } from "../../common/serving.ts";
import { PixelMemory } from "../../pipeline/run/pixel-memory.ts";
import type { AnyStage, Context, Port, Ports } from "../../pipeline/stage/stage.ts";
import type { Workers } from "../../pipeline/workers/workers.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import type { SiteImage } from "../../screen/site-image.ts";
import { freeModel, freeWorkers } from "../../testing/free-workers.ts";
import { testSite } from "../../testing/items.ts";

export interface Recorded {
  readonly context: Context;
  readonly leftOut: { site: Site; reason: string }[];
  readonly notes: string[];
  readonly memory: PixelMemory;
}

export const contextFor = (experiment: Experiment, workers?: Workers, capacity = 2 ** 20): Recorded => {
  const leftOut: { site: Site; reason: string }[] = [];
  const notes: string[] = [];
  const memory = new PixelMemory(capacity);
  const context: Context = {
    experiment,
    signal: new AbortController().signal,
    memory,
    serving: sourceServing,
    workers: workers ?? freeWorkers(freeModel(experiment.cellType, 8, 8, 2)),
    leaveOut: (site, reason) => leftOut.push({ site, reason }),
    predicted: () => undefined,
    note: (message) => notes.push(message),
  };
  return { context, leftOut, notes, memory };
};

/** Runs one stage, with options as a user would write them, on items. */
export const runStage = <Out extends Port>(
  stage: AnyStage,
  options: Record<string, unknown>,
  items: readonly unknown[],
  context: Context,
): Promise<Ports[Out][]> =>
  lastValueFrom(from(items).pipe(stage.apply(stage.config.parse(options), context) as never, toArray())) as Promise<
    Ports[Out][]
  >;

/** An image without a file. */
export const imageOf = (
  site: Partial<Site>,
  pixels: Uint8Array | Uint16Array,
  channels = 1,
  released?: () => void,
): SiteImage => {
  const side = Math.sqrt(pixels.length / channels);
  return {
    site: testSite(site),
    pixels,
    channels,
    height: side,
    width: side,
    lease: { bytes: pixels.byteLength, retain: () => undefined, release: () => released?.() },
  };
};
