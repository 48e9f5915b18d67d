import assert from "node:assert/strict";
import { test } from "node:test";
import { OnnxGraph } from "../../gpu-worker/runtime/onnx/graph.ts";
import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { lossNodes, lossSchema } from "../../training/gradients/losses.ts";

test("losses - ArcFace and its gradient are those of PyTorch", async () => {
  const graph = new OnnxGraph("loss");
  const logits = [3.949935, -1.371989, -1.737148, -0.072957, -2.789971, 2.322303, 0.541651, -2.378819].concat([
    -0.325064, -3.319527, 3.81942, -1.008679,
  ]);
  graph.input("logits", "float32", [3, 4]);
  const target = graph.constant("target", Float32Array.of(1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1), [3, 4]);
  const a = { graph, precision: "float32" as const, images: 3, block: 1 };
  const nodes = lossNodes(a, "logits", target, 4, lossSchema.parse({ kind: "arcface", scale: 4, margin: 0.5 }));
  graph.node("Identity", [nodes.loss], {}, "loss");
  graph.node("Identity", [nodes.gradient], {}, "gradient");
  graph.output("loss", "float32", []);
  graph.output("gradient", "float32", [3, 4]);
  const session = await onnxSessions("cpu").load(graph.encode(), { threads: 1 });
  const given = { type: "float32" as const, data: Float32Array.from(logits), shape: [3, 4] };
  const { loss, gradient } = await session.run({ logits: given });
  await session.close();
  const rounded = ({ data }: { readonly data: unknown }) =>
    Array.from(data as Float32Array, (value) => Number(value.toFixed(4)));
  assert.deepEqual(rounded(loss!), [3.473]);
  assert.deepEqual(
    rounded(gradient!),
    [-0.0702, 0.0034, 0.0023, 0.0124, 0.0019, 0.3209, -0.3072, 0.0029, 0.0052, 0.0003, 0.3274, -0.2505],
  );
});
