import assert from "node:assert/strict";
import { test } from "node:test";
import { freeModel } from "../../bench/free-workers.ts";
import type { Experiment, Site, SitePrediction } from "../../pipeline/plugin.ts";
import { aggregateSites } from "../../stages/aggregate-sites.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";

const model = freeModel("HUVEC", 2, 8);
const site = (well: string, number: number): Site => ({ ...imageOf({ well, site: number }, new Uint8Array(1)).site });
const prediction = (of: Site, logits: number[], features: number[], round = 0): SitePrediction => ({
  site: of,
  round,
  logits: Float32Array.from(logits),
  features: Float32Array.from(features),
  model,
  statistics: "batch",
});
const sites = [site("B02", 1), site("B02", 2), site("B03", 1)];
const experiment: Experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1"], sites };
const { context } = contextFor(experiment);

test("aggregate - averages sigmoids, not logits, and features, over sites and rounds", async () => {
  const [b02, b03] = await runStage<"well-prediction">(
    aggregateSites,
    {},
    [
      prediction(sites[2]!, [0, 1000], [7]),
      prediction(sites[0]!, [0, -1000], [1]),
      prediction(sites[1]!, [1000, -1000], [3], 1),
    ],
    context,
  );
  assert.deepEqual([...b02!.probabilities], [0.75, 0]);
  assert.deepEqual([...b02!.features], [2]);
  assert.deepEqual([b02!.well, b02!.sites, b02!.rounds], ["B02", [1, 2], 2]);
  assert.deepEqual([...b03!.probabilities], [0.5, 1]);
});

test("aggregate - only the sites asked for count; a well without any is not there", async () => {
  const wells = await runStage<"well-prediction">(
    aggregateSites,
    { sites: [2] },
    [prediction(sites[0]!, [100, 100], [1]), prediction(sites[1]!, [0, 0], [3]), prediction(sites[2]!, [0, 0], [3])],
    context,
  );
  assert.deepEqual(
    wells.map(({ well, probabilities }) => [well, probabilities[0]]),
    [["B02", 0.5]],
  );
});

test("aggregate - sites of one well from different bundles are an error", async () => {
  const other = { ...prediction(sites[1]!, [0, 0], [0]), model: { ...model, version: "other" } };
  await assert.rejects(runStage(aggregateSites, {}, [prediction(sites[0]!, [0, 0], [0]), other], context), {
    message:
      "[invalid-model] the sites of plate 1 well B02 were predicted by different versions of free: 0 and other; give all workers the same bundle",
  });
});
