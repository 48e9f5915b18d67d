import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeStatistics,
  encodeStatistics,
  estimateStatistics,
  type PackedStatistics,
  statisticsCount,
} from "../../common/norm-statistics.ts";
import type { Weights } from "../../gpu-worker/network/architecture.ts";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import { parityCase } from "./parity-case.ts";

const { architecture, weights } = parityCase("tiny");
const layers = normLayers(architecture);

/** What a batch gives when every mean is `mean` and every variance is `variance`. */
const batchOf = (mean: number, variance: number): PackedStatistics => ({
  mean: new Float32Array(statisticsCount(layers)).fill(mean),
  variance: new Float32Array(statisticsCount(layers)).fill(variance),
});
const stored = (mean: number, variance: number): Weights =>
  new Map(
    layers.flatMap(({ name, maps }) => [
      [`${name}.running_mean`, new Float32Array(maps).fill(mean)],
      [`${name}.running_var`, new Float32Array(maps).fill(variance)],
    ]),
  );

test("batches count equally, whatever their size", () => {
  const estimate = estimateStatistics(layers);
  estimate.add(batchOf(1, 2), 8);
  estimate.add(batchOf(3, 6), 1);
  const statistics = estimate.finish(stored(0, 0), 0);
  assert.equal(estimate.images, 9);
  assert.deepEqual(statistics, stored(2, 4));
});

test("the source weight counts as so many images of the training data", () => {
  const estimate = estimateStatistics(layers);
  estimate.add(batchOf(4, 8), 16);
  assert.deepEqual(estimate.finish(stored(0, 4), 48), stored(1, 5));
});

test("statistics of no image are an error", () => {
  assert.throws(() => estimateStatistics(layers).finish(weights, 0), { code: "invalid-request" });
});

test("equal statistics have equal bytes and ids, others do not; reading gives back what was written", () => {
  const { id, data } = encodeStatistics(stored(1, 2));
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.deepEqual(encodeStatistics(stored(1, 2)), { id, data });
  assert.notEqual(encodeStatistics(stored(1, 3)).id, id);
  assert.deepEqual(decodeStatistics(data, layers), stored(1, 2));
});

test("statistics of another network, negative variances and numbers that are none are refused by name", () => {
  const refused = (statistics: Weights, message: RegExp) =>
    assert.throws(() => decodeStatistics(encodeStatistics(statistics).data, layers), {
      code: "invalid-request",
      message,
    });
  refused(new Map([...stored(0, 1)].filter(([key]) => key !== "bn.running_mean")), /lack bn\.running_mean/);
  refused(new Map([...stored(0, 1), ["bn.running_var", new Float32Array(5)]]), /bn\.running_var has 5 values/);
  refused(stored(0, -1), /bn\.running_var is -1/);
  refused(stored(Number.NaN, 1), /bn\.running_mean is NaN/);
});
