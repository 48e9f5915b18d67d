/** A worker of its own for a bench: DenseNet-121 for 6x512x512 with fresh weights, over gRPC like any other. */

import { writeBundle } from "../gpu-worker/bundle/bundle.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import { startLocalWorker } from "../pipeline/workers/local-worker.ts";
import { platestreamWorker } from "../pipeline/workers/platestream-worker.ts";
import { workerPool } from "../pipeline/workers/pool.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import { fullSize } from "./full-size.ts";

/** Writes the bundle into `folder`, starts a worker for it, and ends it afterwards. */
export const withWorker = async (
  folder: string,
  cellType: string,
  use: (workers: Workers) => Promise<void>,
): Promise<void> => {
  const manifest = {
    name: "bench",
    architecture: fullSize,
    variant: "densenet121",
    classes: Array.from({ length: fullSize.classes }, (_, index) => String(index)),
    controls: [],
    plateGroups: [],
    channelNames: [],
    input: { scale: 1 / 255, offset: 0 },
    cellTypes: { [cellType]: { trained: false } },
  };
  await writeBundle(folder, manifest, new Map([[cellType, initialWeights(fullSize, 1)]]));
  const local = await startLocalWorker(folder, () => undefined);
  const pool = await workerPool([platestreamWorker(local.address)], () => undefined);
  try {
    await use(pool);
  } finally {
    await pool.close();
    await local.close();
  }
};
