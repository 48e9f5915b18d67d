/** Losses, each with its derivative by the logits. All values are float32; targets are rows [N, K] and may be soft. */
import { z } from "zod";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { Arithmetic } from "./arithmetic.ts";

export const lossSchema = z.strictObject({
  kind: z
    .enum(["bce", "cross-entropy", "cosface", "arcface"])
    .default("bce")
    .describe(
      "binary cross entropy per class; cross entropy over the classes; or of cosines, with a margin: CosFace (Wang et al. 2018), ArcFace (Deng et al. 2019)",
    ),
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
  scale: z.number().positive().default(30).describe("cosface and arcface only: factor s of the cosines"),
  margin: z
    .number()
    .min(0)
    .default(0.35)
    .describe("taken from the cosine of the true class by cosface; added to its angle, in radians, by arcface"),
});
export type Loss = z.output<typeof lossSchema>;

/** Factor of the cosines that the logits are; undefined where the last layer is linear. */
export const cosineScaleOf = ({ kind, scale }: Loss): number | undefined =>
  kind === "cosface" || kind === "arcface" ? scale : undefined;

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

/**
 * The true class's cosine becomes that of an angle larger by `margin`, or, where that would be beyond 180 degrees, less
 * by as much as keeps it falling: as Deng et al. have it. For soft targets it moves by the target's share.
 */
const arcFace = (a: Arithmetic, logits: Value, target: Value, soft: Value, { scale, margin }: Loss): LossNodes => {
  const { graph } = a;
  const node = (kind: string, ...inputs: Value[]) => graph.node(kind, inputs);
  const number = (value: number) => graph.scalar(value);
  const [cosM, sinM] = [number(Math.cos(margin)), number(Math.sin(margin))];
  const cosine = node("Mul", logits, number(1 / scale));
  const squared = node("Sub", number(1), node("Mul", cosine, cosine));
  const sine = node("Sqrt", node("Max", squared, number(1e-6)));
  const wider = node("Sub", node("Mul", cosine, cosM), node("Mul", sine, sinM));
  const within = node("Greater", cosine, number(-Math.cos(margin)));
  const moved = node("Where", within, wider, node("Sub", cosine, number(margin * Math.sin(margin))));
  const slope = node("Add", cosM, node("Mul", node("Div", cosine, sine), sinM));
  const steepness = node("Where", within, slope, number(1));
  const change = node("Mul", node("Sub", moved, cosine), number(scale));
  const { loss, gradient } = crossEntropy(a, node("Add", logits, node("Mul", target, change)), soft);
  const factor = node("Add", number(1), node("Mul", target, node("Sub", steepness, number(1))));
  return { loss, gradient: node("Mul", gradient, factor) };
};

/** For CosFace and ArcFace the logits must be `scale` times cosines: `cosines` of derivatives.ts. */
export const lossNodes = (a: Arithmetic, logits: Value, target: Value, classes: number, loss: Loss): LossNodes => {
  const soft = smoothed(a, target, classes, loss);
  if (loss.kind === "bce") return binaryCrossEntropy(a, logits, soft, classes, loss);
  if (loss.kind === "cross-entropy") return crossEntropy(a, logits, soft);
  if (loss.kind === "arcface") return arcFace(a, logits, target, soft, loss);
  const margin = a.graph.node("Mul", [target, a.graph.scalar(loss.scale * loss.margin)]);
  return crossEntropy(a, a.graph.node("Sub", [logits, margin]), soft);
};
