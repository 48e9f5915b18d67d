/** Workers without a network between: an engine in this process. For tests, and for programs that embed a pipeline. */
import { PlatestreamError } from "../common/errors.ts";
import type { ModelInfo } from "../common/model-info.ts";
import { type PackedBatch, packBatch } from "../pipeline/workers/pack.ts";
import type { CallOptions, Workers } from "../pipeline/workers/workers.ts";

interface EngineChoice {
  readonly model: string;
  readonly cellType: string;
}

/** What of the worker's engine is needed here; the worker's own fits. */
export interface InferenceEngine {
  models(): readonly ModelInfo[];
  predict(
    choice: EngineChoice,
    images: PackedBatch,
    statistics:
      | { readonly kind: "running" }
      | { readonly kind: "batch" }
      | { readonly kind: "calibrated"; readonly id: string; readonly data?: Uint8Array },
    plates: readonly number[],
    signal?: AbortSignal,
  ): Promise<{
    readonly model: ModelInfo;
    readonly statistics: string;
    readonly logits: Float32Array;
    readonly features: Float32Array;
  }>;
  calibrate(
    choice: EngineChoice,
    sourceWeight: number,
    signal?: AbortSignal,
  ): {
    add(images: PackedBatch): Promise<void>;
    finish(): Promise<{ readonly id: string; readonly data: Uint8Array }>;
  };
}

/** An engine that failed would fail again: there are no retries. Whoever made the engine closes it. */
export const inProcessWorkers = (engine: InferenceEngine): Workers => ({
  models: async () => engine.models(),
  concurrency: 2,
  predict: (model, batch, statistics, options) =>
    within(options, (signal) => {
      const takesPlates = engine
        .models()
        .some(
          ({ name, cellType, plates }) => plates > 0 && cellType === model.cellType && (model.name ?? name) === name,
        );
      return engine.predict(choiceOf(model), packBatch(batch), statistics, takesPlates ? batch.plates : [], signal);
    }),
  calibrate: (model, batches, sourceWeight, options) =>
    within(options, async (signal) => {
      const calibration = engine.calibrate(choiceOf(model), sourceWeight, signal);
      for (const batch of batches) await calibration.add(packBatch(batch));
      const { id, data } = await calibration.finish();
      return { kind: "calibrated", id, data };
    }),
});

const choiceOf = ({ name, cellType }: { name?: string | undefined; cellType: string }): EngineChoice => ({
  model: name === undefined ? "" : name,
  cellType,
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
