/** What engines of tests have in common that compute nothing. */
import type { Engine } from "../../gpu-worker/engine/engine.ts";

export const idleEngine = {
  device: { runtime: "none", provider: "none", precision: "float32", bestBatch: 0, threads: 0, refused: [] },
  maxBatch: 1,
  waiting: 0,
  models: () => [],
  close: () => Promise.resolve(),
} satisfies Partial<Engine>;
