import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Images, ModelChoice } from "../common/inference.ts";
import { packImages } from "../pipeline/workers/pack-images.ts";
import type { CallOptions, Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { locationsOf } from "../screen/image-source.ts";
import { readSite } from "../screen/read-site.ts";
import { freeModel, freeWorkers } from "../testing/free-workers.ts";
import type { Bench } from "./figure.ts";
import { fullSizePlate } from "./full-size-plate.ts";
import { median, runChain } from "./run-chain.ts";
import { withWorker } from "./untrained-worker.ts";

const options: CallOptions = { signal: new AbortController().signal, deadlineMs: 600_000, retries: 0 };

/** Decodes the sites of an experiment with sharp and nothing else, eight files at a time. Returns seconds. */
const sharpAlone = async ({ sites }: Experiment): Promise<number> => {
  const files = sites.flatMap(({ images }) => images.flatMap(locationsOf));
  const started = performance.now();
  let next = 0;
  const lane = async () => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      await sharp(file).toColourspace("b-w").raw().toBuffer();
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return (performance.now() - started) / 1000;
};

/** What the workers need for as many images as the experiment has, all decoded before: calibration and prediction. */
const workersAlone = async (experiment: Experiment, workers: Workers): Promise<number> => {
  const sample = await Promise.all(experiment.sites.slice(0, 64).map(({ images }) => readSite(images)));
  const batches: Images[] = Array.from({ length: 8 }, (_, b) =>
    packImages(sample.slice(b * 8, b * 8 + 8), new Array(8).fill(0)),
  );
  const model: ModelChoice = { cellType: experiment.cellType };
  const started = performance.now();
  const statistics = await workers.calibrate(model, batches, 0, options);
  let next = 0;
  const count = Math.round(experiment.sites.length / 8);
  const lane = async () => {
    for (let b = next++; b < count; b = next++) await workers.predict(model, batches[b % 8]!, statistics, options);
  };
  await Promise.all(Array.from({ length: workers.concurrency }, lane));
  return (performance.now() - started) / 1000;
};

export const pipeline: Bench = {
  name: "pipeline",
  description:
    "one full-size plate from PNG to calls against the worker's own speed (at least 0.85), and with a free model against decoding with sharp alone (at least 0.5)",
  async run(report, log) {
    const plate = await fullSizePlate(log);
    const images = plate.sites.length;
    const free = freeWorkers(freeModel(plate.cellType, 308, 512));
    const rounds: { own: number; reference: number }[] = [];
    for (let round = 0; round < 3; round++) {
      rounds.push({ reference: await sharpAlone(plate), own: await runChain(plate, free) });
    }
    const own = images / median(rounds.map((each) => each.own));
    const reference = images / median(rounds.map((each) => each.reference));
    report({ figure: "pipeline.free-model", value: own, unit: "sites/s", reference, ratio: own / reference });

    const folder = await mkdtemp(join(tmpdir(), "platestream-bench-"));
    try {
      await withWorker(folder, plate.cellType, async (workers) => {
        const before = await workersAlone(plate, workers);
        const seconds = await runChain(plate, workers);
        const after = await workersAlone(plate, workers);
        const speed = images / seconds;
        const alone = (2 * images) / (before + after);
        report({
          figure: "pipeline.full-size",
          value: speed,
          unit: "images/s",
          reference: alone,
          ratio: speed / alone,
        });
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};
