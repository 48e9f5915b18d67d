/** What more workers are worth, and what NATS costs: workers whose computing is a delay take this machine out of the picture. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { mapOrdered } from "../common/concurrency.ts";
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
import { startNatsServer } from "../test/bus/nats-server.ts";
import type { Bench } from "./figure.ts";
import { median } from "./run-chain.ts";

/** For a batch of 8 images. */
const delayMs = 400;
const [wells, sites] = [308, 2];
const imagesPerPlate = wells * sites;
/** So many make an experiment of RxRx1. */
const mostPlates = 4;
/** The default memory, in images: of 6x512x512. */
const imagesInMemory = Math.floor((1024 * 2 ** 20) / (6 * 512 * 512));
const rounds = 3;
const pixels = 64;

/** With plates as large as those of RxRx1; every well shows a class of its own. */
const experimentOf = (id: string, plates: number): Experiment => ({
  id,
  cellType: "HUVEC",
  plates: Array.from({ length: plates }, (_, plate) => String(plate + 1)),
  sites: Array.from({ length: plates * imagesPerPlate }, (_, index): Site => {
    const shown = Math.floor(index / sites);
    const well = shown % wells;
    return {
      experiment: id,
      cellType: "HUVEC",
      plate: String(1 + Math.floor(shown / wells)),
      well: `${String.fromCharCode(66 + Math.floor(well / 22))}${String(2 + (well % 22)).padStart(2, "0")}`,
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

const withWorkers = async <T>(count: number, use: (workers: WorkerPool) => Promise<T>): Promise<T> => {
  const script = fileURLToPath(new URL("./delayed-workers-process.js", import.meta.url));
  const child = spawn(process.execPath, [script, String(count), String(delayMs)], {
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

interface Opened {
  readonly bus: Bus;
  readonly onStatus: (status: Status) => void;
  readonly write: (result: ExperimentResult) => Promise<void>;
  close(): Promise<unknown>;
}

const embedded = async (): Promise<Opened> => {
  const bus = await openEmbeddedBus();
  return { bus, onStatus: () => undefined, write: async () => undefined, close: () => bus.close() };
};

/** Everything that a node does with NATS. */
const onNats = async (url: string): Promise<Opened> => {
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

/** Runs so many plates as a node does, in experiments of four where there are so many. Returns seconds. */
const runPlates = async (plates: number, workers: WorkerPool, open: () => Promise<Opened>): Promise<number> => {
  const config = parseRunConfig({ data: "bench" }, "bench", usualChain);
  const [, ...rest] = await buildChain(config.stages, stages, ".");
  const chain: Chain = [{ stage: makeImages, options: {}, use: "make-images" }, ...rest];
  const { bus, onStatus, write, close } = await open();
  const ids = Array.from({ length: Math.ceil(plates / mostPlates) }, (_, index) => `HUVEC-${index + 1}`);
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
    load: async ({ id }) => experimentOf(id, Math.min(plates, mostPlates)),
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
  if (images !== plates * imagesPerPlate) throw new Error(`${images} images were predicted`);
  return seconds;
};

export const scale: Bench = {
  name: "scale",
  description:
    `images/s with 8 gRPC workers that take ${delayMs} ms per batch, against 8 times those with one (at least 0.9), ` +
    "and the time that NATS adds to a run on the embedded bus (a fraction; at most 0.03)",
  async run(report, log) {
    const nats = await startNatsServer();
    try {
      const fraction = (figure: string, unit: string, value: number) =>
        report({ figure, value, unit, reference: 1, ratio: value });
      let one: number | undefined;
      for (const count of [1, 2, 4, 8]) {
        // A plate for each: the runs take about the same time.
        const seconds = await withWorkers(count, (workers) => runPlates(count, workers, embedded));
        const speed = (count * imagesPerPlate) / seconds;
        one ??= speed;
        log(`${count} workers: ${speed.toFixed(1)} images/s, ${seconds.toFixed(1)} s`);
        fraction(`scale.${count}-workers`, "of linear", speed / (count * one));
      }
      const costs: number[] = [];
      await withWorkers(8, async (workers) => {
        for (let round = 1; round <= rounds; round++) {
          const without = await runPlates(8, workers, embedded);
          const withNats = await runPlates(8, workers, () => onNats(nats.namespace()));
          costs.push(withNats / without - 1);
          log(`round ${round} of ${rounds}: ${withNats.toFixed(2)} s with NATS, ${without.toFixed(2)} s without`);
        }
      });
      fraction("scale.nats-cost", "of the run", median(costs));
    } finally {
      await nats.close();
    }
  },
};
