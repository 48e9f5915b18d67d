/** Losses, each with its derivative by the logits. All values are float32; targets are rows [N, K] and may be soft. */
import { z } from "zod";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { Arithmetic } from "./arithmetic.ts";

export const lossSchema = z.strictObject({
  kind: z
    .enum(["bce", "cross-entropy", "cosface"])
    .default("bce")
    .describe("binary cross entropy per class, cross entropy over the classes, or CosFace (Wang et al. 2018)"),
  classes: z
    .enum(["mean", "sum"])
    .default("mean")
    .describe("bce only: mean over the classes, as PyTorch does, or their sum"),
  smoothing: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("label smoothing: share of the target spread over all classes"),
  scale: z.number().positive().default(30).describe("cosface only: factor s of the cosines"),
  margin: z.number().min(0).default(0.35).describe("cosface only: margin m taken from the cosine of the true class"),
});
export type Loss = z.output<typeof lossSchema>;

export interface LossNodes {
  /** Mean over the images, a scalar. */
  readonly loss: Value;
  /** Gradient by the logits [N, K]. */
  readonly gradient: Value;
}

const smoothed = ({ graph }: Arithmetic, target: Value, classes: number, { smoothing }: Loss): Value =>
  smoothing === 0
    ? target
    : graph.node("Add", [graph.node("Mul", [target, graph.scalar(1 - smoothing)]), graph.scalar(smoothing / classes)]);

/** softplus(x) - target * x, which is -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) without its overflow. */
const binaryCrossEntropy = (a: Arithmetic, logits: Value, target: Value, classes: number, loss: Loss): LossNodes => {
  const { graph, images } = a;
  const share = graph.scalar(loss.classes === "mean" ? 1 / (images * classes) : 1 / images);
  const terms = graph.node("Sub", [graph.node("Softplus", [logits]), graph.node("Mul", [target, logits])]);
  const difference = graph.node("Sub", [graph.node("Sigmoid", [logits]), target]);
  return {
    loss: graph.node("Mul", [graph.node("ReduceSum", [terms], { keepdims: 0 }), share]),
    gradient: graph.node("Mul", [difference, share]),
  };
};

/** The targets of an image must add up to 1. */
const crossEntropy = (a: Arithmetic, logits: Value, target: Value): LossNodes => {
  const { graph, images } = a;
  const terms = graph.node("Mul", [target, graph.node("LogSoftmax", [logits], { axis: 1 })]);
  const difference = graph.node("Sub", [graph.node("Softmax", [logits], { axis: 1 }), target]);
  return {
    loss: graph.node("Mul", [graph.node("ReduceSum", [terms], { keepdims: 0 }), graph.scalar(-1 / images)]),
    gradient: graph.node("Mul", [difference, graph.scalar(1 / images)]),
  };
};

/** For CosFace the logits must be `scale` times cosines: `cosines` of derivatives.ts. */
export const lossNodes = (a: Arithmetic, logits: Value, target: Value, classes: number, loss: Loss): LossNodes => {
  const soft = smoothed(a, target, classes, loss);
  if (loss.kind === "bce") return binaryCrossEntropy(a, logits, soft, classes, loss);
  if (loss.kind === "cross-entropy") return crossEntropy(a, logits, soft);
  const margin = a.graph.node("Mul", [target, a.graph.scalar(loss.scale * loss.margin)]);
  return crossEntropy(a, a.graph.node("Sub", [logits, margin]), soft);
};
