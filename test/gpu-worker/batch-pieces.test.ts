import assert from "node:assert/strict";
import { test } from "node:test";
import { packStatistics } from "../../common/norm-statistics.ts";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import { runInPieces } from "../../gpu-worker/runtime/onnx/batch-pieces.ts";
import { float32 } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { assertClose, parityCase } from "./parity-case.ts";

test("a batch in pieces, the last of them shorter, predicts what it predicts in one", async () => {
  const { architecture, weights, inputs, open } = parityCase("tiny-plates");
  const session = await open("fixed", "blocked");
  const { mean, variance } = packStatistics(normLayers(architecture), weights);
  const given = {
    ...inputs(0, 8),
    mean: float32(mean, [mean.length]),
    variance: float32(variance, [variance.length]),
  };
  const whole = await session.run(given);
  const pieces = await runInPieces(session, given, ["mean", "variance"], 3);
  for (const name of ["logits", "features"]) {
    assert.deepEqual(pieces[name]!.shape, whole[name]!.shape);
    assertClose(pieces[name]!.data as Float32Array, whole[name]!.data as Float32Array, name, 1e-6);
  }
  await session.close();
});
