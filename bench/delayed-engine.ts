/** An engine whose network takes the same time for every batch and no processor: workers without their computing. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatestreamError } from "../common/errors.ts";
import { statisticsName } from "../common/inference.ts";
import type { ModelInfo } from "../common/model-info.ts";
import type { Engine } from "../gpu-worker/engine/engine.ts";

/** As large as those of DenseNet-121. */
const statisticsBytes = 700_000;

/** One batch at a time, `delayMs` each, those of a calibration too. Logits favour the class that an image's first two pixels name. */
export const delayedEngine = (model: ModelInfo, delayMs: number): Engine => {
  const held = new Set<string>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const compute = (): Promise<unknown> => {
    waiting += 1;
    last = last.then(() => sleep(delayMs)).finally(() => waiting--);
    return last;
  };
  const classes = model.classes.length;

  return {
    device: {
      runtime: "delay",
      provider: `${delayMs} ms`,
      precision: "float32",
      bestBatch: 0,
      threads: 0,
      refused: [],
    },
    maxBatch: 128,
    get waiting() {
      return waiting;
    },
    models: () => [model],
    async predict(_, { pixels, shape }, statistics, call) {
      if (statistics.kind === "calibrated") {
        if (statistics.data !== undefined) held.add(statistics.id);
        if (!held.has(statistics.id)) throw new PlatestreamError("unknown-statistics", "never seen");
      }
      await compute();
      const [images] = shape;
      const logits = new Float32Array(images * classes).fill(-4);
      const size = pixels.length / images;
      for (let i = 0; i < images; i++) logits[i * classes + pixels[i * size]! + 256 * pixels[i * size + 1]!] = 4;
      const features = new Float32Array(images * model.featureCount);
      if (call?.transfer) call.giveBack?.(pixels.buffer as ArrayBuffer);
      return {
        model,
        statistics: statisticsName(statistics),
        logits,
        features,
      };
    },
    calibrate() {
      let images = 0;
      return {
        model,
        async add(batch) {
          if ("data" in batch) {
            images += batch.images;
            return;
          }
          images += batch.shape[0];
          await compute();
        },
        async finish() {
          const id = randomUUID();
          held.add(id);
          return { id, data: new Uint8Array(statisticsBytes), images };
        },
      };
    },
    close: async () => undefined,
  };
};
