/** Workers that hold a bundle and compute in this process: no server, no port. */
import type { Workers } from "../pipeline/workers/workers.ts";
import { inProcessWorkers } from "./in-process-workers.ts";

export interface BundleWorkers extends Workers {
  close(): Promise<void>;
}

/** `bundle`: its folder. Computes on the CPU. Throws "invalid-model". */
export const openBundleWorkers = async (bundle: string): Promise<BundleWorkers> => {
  const [{ readBundle }, { openEngine }] = await Promise.all([
    import("../gpu-worker/bundle/bundle.ts"),
    import("../gpu-worker/engine/open-engine.ts"),
  ]);
  const engine = await openEngine([await readBundle(bundle)], { provider: "cpu" });
  return { ...inProcessWorkers(engine), close: () => engine.close() };
};
