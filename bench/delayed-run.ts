/** A run without computing: images that name their class, workers whose network is a delay, buses of both kinds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { mapOrdered } from "../common/concurrency.ts";
import { wellAt } from "../datasets/fields.ts";
import type { Bus } from "../pipeline/bus/bus.ts";
import { openEmbeddedBus } from "../pipeline/bus/embedded.ts";
import { natsEvents } from "../pipeline/bus/nats/events.ts";
import { announceNode } from "../pipeline/bus/nats/nodes.ts";
import { openNats } from "../pipeline/bus/nats/open.ts";
import { openNatsBus } from "../pipeline/bus/nats/queue.ts";
import { parseRunConfig } from "../pipeline/config.ts";
import { openEventPublisher } from "../pipeline/events/publish.ts";
import type { ExperimentResult } from "../pipeline/results/result.ts";
import { runNode } from "../pipeline/run/node.ts";
import type { Status } from "../pipeline/run/status.ts";
import { buildChain, type Chain } from "../pipeline/stage/chain.ts";
import { defineStage } from "../pipeline/stage/stage.ts";
import { platestreamWorker } from "../pipeline/workers/platestream-worker.ts";
import { type WorkerPool, workerPool } from "../pipeline/workers/pool.ts";
import type { Experiment, Site } from "../screen/experiment.ts";
import type { SiteImage } from "../screen/site-image.ts";
import { stages, usualChain } from "../stages/built-in.ts";

/** The default memory, in images: of 6x512x512. */
const imagesInMemory = Math.floor((1024 * 2 ** 20) / (6 * 512 * 512));
const pixels = 64;

/** How large a run is. */
export interface Extent {
  readonly experiments: number;
  /** Of each experiment. */
  readonly plates: number;
  /** Of each plate. */
  readonly wells: number;
  /** Of each well. */
  readonly sites: number;
}

export const imagesOf = ({ experiments, plates, wells, sites }: Extent): number => experiments * plates * wells * sites;

/** Every well shows a class of its own. */
const experimentOf = (id: string, { plates, wells, sites }: Extent): Experiment => ({
  id,
  cellType: "HUVEC",
  plates: Array.from({ length: plates }, (_, plate) => String(plate + 1)),
  sites: Array.from({ length: plates * wells * sites }, (_, index): Site => {
    const shown = Math.floor(index / sites);
    const well = shown % wells;
    return {
      experiment: id,
      cellType: "HUVEC",
      plate: String(1 + Math.floor(shown / wells)),
      well: wellAt(1 + Math.floor(well / 48), 1 + (well % 48))!,
      site: 1 + (index % sites),
      wellType: "treatment",
      treatment: String(shown),
      images: [],
      metadata: {},
    };
  }),
});

/** In the place of `decode`: images of a few pixels, the first two of which name the class; they take their memory all the same. */
const makeImages = defineStage({
  name: "make-images",
  description: "makes images that name their class",
  input: "site",
  output: "site-image",
  config: z.strictObject({}),
  apply: (_, { memory, signal }) =>
    mapOrdered(4, async (site: Site): Promise<SiteImage> => {
      const lease = await memory.acquire(pixels, signal);
      const shown = Number(site.treatment);
      const image = new Uint8Array(pixels).fill(shown % 256);
      image[1] = shown >> 8;
      return { site, pixels: image, channels: 1, height: 8, width: 8, lease };
    }),
});

interface DelayedWorkers {
  readonly count: number;
  /** For a batch of images. */
  readonly delayMs: number;
  /** As many as RxRx1 has with its controls. */
  readonly classes?: number;
}

/** gRPC workers in another process, whose network is a delay. */
export const withWorkers = async <T>(
  { count, delayMs, classes = 1232 }: DelayedWorkers,
  use: (workers: WorkerPool) => Promise<T>,
): Promise<T> => {
  const script = fileURLToPath(new URL("./delayed-workers-process.js", import.meta.url));
  const child = spawn(process.execPath, [script, ...[count, delayMs, classes].map(String)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const pool = await workerPool(
    (JSON.parse(line) as string[]).map((address) => platestreamWorker(address)),
    () => undefined,
  );
  try {
    return await use(pool);
  } finally {
    await pool.close();
    child.stdin.end();
    await once(child, "exit");
  }
};

/** A bus, and what else a node does with it. */
interface Opened {
  readonly bus: Bus;
  readonly onStatus: (status: Status) => void;
  readonly write: (result: ExperimentResult) => Promise<void>;
  close(): Promise<unknown>;
}

export const embedded = async (): Promise<Opened> => {
  const bus = await openEmbeddedBus();
  return { bus, onStatus: () => undefined, write: async () => undefined, close: () => bus.close() };
};

/** Everything that a node does with NATS. */
export const onNats = async (url: string): Promise<Opened> => {
  const parts = await openNats({ url, name: "bench", onConnection: () => undefined });
  const cellTypes = () => ["HUVEC"];
  const bus = await openNatsBus(parts, {
    node: "bench",
    cellTypes,
    untilEmpty: true,
    onFull: () => undefined,
    onMended: () => undefined,
  });
  const events = openEventPublisher(natsEvents(parts), "bench", () => "HUVEC");
  const presence = announceNode(parts.nodes, "bench", cellTypes);
  return {
    bus,
    onStatus(status) {
      presence.next(status);
      events.next(status);
    },
    write: events.publishResult,
    async close() {
      await presence.close();
      await events.settled();
      await bus.close();
      await parts.close();
    },
  };
};

/** Runs it as a node does. Returns seconds of the clock. */
export const runDelayed = async (
  extent: Extent,
  workers: WorkerPool,
  open: () => Promise<Opened> = embedded,
): Promise<number> => {
  const config = parseRunConfig({ data: "bench" }, "bench", usualChain);
  const [, ...rest] = await buildChain(config.stages, stages, ".");
  const chain: Chain = [{ stage: makeImages, options: {}, use: "make-images" }, ...rest];
  const { bus, onStatus, write, close } = await open();
  const ids = Array.from({ length: extent.experiments }, (_, index) => `HUVEC-${index + 1}`);
  await bus.submit(ids.map((id) => ({ id, cellType: "HUVEC", data: "bench" })));
  let images = 0;
  const started = performance.now();
  await runNode({
    bus,
    chain,
    workers,
    results: {
      done: () => new Set(),
      confirm: async () => undefined,
      async write(result) {
        images += result.images;
        await write(result);
      },
      fail: async ({ reason }) => {
        throw new Error(reason);
      },
    },
    load: async ({ id }) => experimentOf(id, extent),
    memoryBytes: imagesInMemory * pixels,
    concurrentExperiments: config.concurrentExperiments,
    attempts: 1,
    requeues: 0,
    backOffMs: 0,
    drain: new AbortController().signal,
    signal: new AbortController().signal,
    onStatus,
  });
  const seconds = (performance.now() - started) / 1000;
  await close();
  if (images !== imagesOf(extent)) throw new Error(`${images} images were predicted`);
  return seconds;
};
