/**
 * The door for tests of stages and of programs around a pipeline: what stands in for files, workers and servers.
 *
 * ```ts
 * import { runStage, testImage } from "platestream/testing";
 * import brightEnough from "./bright-enough.ts";
 *
 * const { output, leftOut } = await runStage(brightEnough, { level: 2 }, [testImage()]);
 * ```
 */
export { memoryDirectory, type WorkerDirectory } from "../pipeline/workers/directory.ts";
export { type BundleWorkers, openBundleWorkers } from "./bundle-workers.ts";
export { freeModel, freeWorkers } from "./free-workers.ts";
export { type InferenceEngine, inProcessWorkers } from "./in-process-workers.ts";
export { testExperiment, testImage, testSite } from "./items.ts";
export { runStage, type StageGiven, type StageRun } from "./run-stage.ts";
