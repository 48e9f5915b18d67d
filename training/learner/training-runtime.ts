/** What computes for a learner: losses and gradients, statistics, and logits, of batches of one size. */
import type { OnnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import type { Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { type GraphOptions, measuringGraph, predictingGraph, trainingGraph, usableBlock } from "../gradients/graphs.ts";

/**
 * Inputs and outputs have the names of `../gradients/graphs.ts`: `train` gives `loss`, `gradient` (of the parameters that
 * learn, in their order), `means` and `variances`; `measure` the latter two; `predict` `logits` and `features`.
 */
export type TrainingTask = "train" | "measure" | "predict";

export interface OpenTask {
  /** `outputs`: names of those that are wanted; all where it is absent. */
  run(inputs: Tensors, outputs?: readonly string[]): Promise<Tensors>;
  close(): Promise<void>;
}

export interface TrainingRuntime {
  readonly provider: string;
  /** Throws "invalid-config" where the provider cannot compute this, "invalid-model" where it fails to. */
  open(task: TrainingTask, options: GraphOptions, learns: (name: string) => boolean): Promise<OpenTask>;
}

/** Each task as an ONNX graph. */
export const onnxTraining = (sessions: OnnxSessions, threads: number): TrainingRuntime => {
  const { provider } = sessions;
  return {
    provider,
    async open(task, options, learns) {
      if (task === "predict") return sessions.load(predictingGraph(options), { threads, unplannedMemory: true });
      const block = usableBlock(options, await sessions.block());
      const of = { ...options, block, poolIndices: provider !== "webgpu" };
      const graph = task === "train" ? trainingGraph(of, learns).model : measuringGraph(of);
      return sessions.load(graph, { threads, unplannedMemory: true, unoptimized: block > 1 });
    },
  };
};
