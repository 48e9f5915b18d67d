/** Workers without a network between: an engine in this process. For tests, and for programs that embed a pipeline. */
import { PlatestreamError } from "../common/errors.ts";
import type { Images, ModelChoice, Prediction, Statistics } from "../common/inference.ts";
import type { ModelInfo } from "../common/model-info.ts";
import type { CallOptions, Workers } from "../pipeline/workers/workers.ts";

/** What of the worker's engine is needed here; the worker's own fits. */
export interface InferenceEngine {
  models(): readonly ModelInfo[];
  predict(
    choice: ModelChoice,
    images: Images,
    statistics: Statistics,
    call: { readonly signal: AbortSignal },
  ): Promise<Prediction>;
  calibrate(
    choice: ModelChoice,
    sourceWeight: number,
    signal: AbortSignal,
  ): {
    add(images: Images): Promise<void>;
    finish(): Promise<{ readonly id: string; readonly data: Uint8Array }>;
  };
}

/** An engine that failed would fail again: there are no retries. Whoever made the engine closes it. */
export const inProcessWorkers = (engine: InferenceEngine): Workers => ({
  models: async () => engine.models(),
  concurrency: 2,
  predict: (choice, images, statistics, options) =>
    within(options, (signal) => engine.predict(choice, images, statistics, { signal })),
  calibrate: (choice, batches, sourceWeight, options) =>
    within(options, async (signal) => {
      const calibration = engine.calibrate(choice, sourceWeight, signal);
      for (const images of batches) await calibration.add(images);
      const { id, data } = await calibration.finish();
      return { kind: "calibrated", id, data };
    }),
});

/** Rejects as soon as the run is cancelled or the deadline has passed, whether the engine listens or not. */
const within = async <T>(
  { signal, deadlineMs }: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const timer = setTimeout(
    () =>
      controller.abort(
        new PlatestreamError("deadline", `the engine took longer than the ${deadlineMs} ms that a request may take`),
      ),
    deadlineMs,
  );
  const onAbort = () =>
    controller.abort(new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason }));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    controller.signal.throwIfAborted();
    const stopped = new Promise<never>((_, reject) =>
      controller.signal.addEventListener("abort", () => reject(controller.signal.reason)),
    );
    return await Promise.race([work(controller.signal), stopped]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
};
