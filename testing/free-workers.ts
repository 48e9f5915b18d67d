/** Workers whose network costs nothing: what remains of a run's time is the pipeline's own. */

import { unfitted } from "../common/assignment/confidence.ts";
import { noReplicates } from "../common/assignment/replicates.ts";
import { statisticsName } from "../common/inference.ts";
import type { ModelInfo } from "../common/model-info.ts";
import { sourceServing } from "../common/serving.ts";
import type { Workers } from "../pipeline/workers/workers.ts";

export const freeModel = (cellType: string, classes: number, size: number, channels = 6): ModelInfo => ({
  name: "free",
  version: "0",
  cellType,
  trained: true,
  classes: Array.from({ length: classes }, (_, index) => String(index)),
  controls: [],
  plateGroups: [],
  serving: sourceServing,
  confidence: unfitted,
  copies: [],
  replicates: noReplicates,
  channels,
  height: size,
  width: size,
  plates: 0,
  channelNames: [],
  featureCount: 4,
});

/** Answers every batch at once: logits favour the class that the first pixel names, features are the first pixels. */
export const freeWorkers = (model: ModelInfo): Workers => ({
  models: async () => [model],
  concurrency: 4,
  calibrate: async (_, batches) => ({
    kind: "calibrated",
    id: `free-${batches.reduce((count, { shape }) => count + shape[0], 0)}`,
    data: new Uint8Array(),
  }),
  predict: async (_, { pixels, shape: [images] }, statistics) => {
    const logits = new Float32Array(images * model.classes.length).fill(-4);
    const features = new Float32Array(images * model.featureCount);
    const size = pixels.length / images;
    for (let index = 0; index < images; index++) {
      const image = pixels.subarray(index * size, (index + 1) * size);
      logits[index * model.classes.length + (image[0]! % model.classes.length)] = 4;
      features.set(image.subarray(0, model.featureCount), index * model.featureCount);
    }
    return { model, statistics: statisticsName(statistics), logits, features };
  },
});
