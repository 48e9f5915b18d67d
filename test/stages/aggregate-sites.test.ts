import assert from "node:assert/strict";
import { test } from "node:test";
import type { SitePrediction } from "../../pipeline/stage/items.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { aggregateSites } from "../../stages/aggregate-sites.ts";
import { freeModel } from "../../testing/free-workers.ts";
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

test("aggregate - of a network that learnt one class of all, the logits, and their softmax", async () => {
  const given = [prediction(sites[0]!, [0, Math.log(2)], [1]), prediction(sites[1]!, [0, Math.log(8)], [3])];
  const served = { ...context, serving: { ...context.serving, sites: "logits" as const } };
  const [b02] = await runStage<"well-prediction">(aggregateSites, {}, given, served);
  assert.deepEqual(
    Array.from(b02!.probabilities, (share) => share.toFixed(4)),
    ["0.2000", "0.8000"],
  );
  assert.deepEqual(
    b02!.votes?.map(({ probability }) => probability.toFixed(4)),
    ["0.6667", "0.8889"],
  );
  const [told] = await runStage<"well-prediction">(aggregateSites, { average: "sigmoids" }, given, served);
  assert.deepEqual(
    Array.from(told!.probabilities, (share) => share.toFixed(4)),
    ["0.5000", "0.7778"],
  );
});

test("aggregate - every site votes for the class that most of its rounds found best", async () => {
  const [b02] = await runStage<"well-prediction">(
    aggregateSites,
    {},
    [
      prediction(sites[1]!, [0, 1], [1]),
      prediction(sites[0]!, [0, -1000], [1], 0),
      prediction(sites[0]!, [-1000, 1000], [1], 1),
      prediction(sites[0]!, [1000, -1000], [1], 2),
    ],
    context,
  );
  assert.deepEqual(
    b02!.votes?.map(({ site, treatment, probability }) => [site, treatment, Number(probability.toFixed(3))]),
    [
      [1, model.classes[0], 0.75],
      [2, model.classes[1], 0.731],
    ],
  );
});

test("aggregate - only the sites asked for count; a well without any is not there", async () => {
  const { context, notes } = contextFor(experiment);
  const wells = await runStage<"well-prediction">(
    aggregateSites,
    { sites: [2] },
    [prediction(sites[0]!, [100, 100], [1]), prediction(sites[1]!, [0, 0], [3]), prediction(sites[2]!, [0, 0], [3])],
    context,
  );
  assert.deepEqual(
    wells.map(({ well, probabilities, sites }) => [well, probabilities[0], sites]),
    [["B02", 0.5, [2]]],
  );
  assert.deepEqual(notes, ["wells that have no site 2 and are not called: 1"]);
});

test("aggregate - sites that the experiment does not have are an error", async () => {
  await assert.rejects(async () => runStage(aggregateSites, { sites: [3, 4] }, [], context), {
    message: "[invalid-config] sites must name at least one that HUVEC-01 has, got 3, 4; it has 1, 2",
  });
});

test("aggregate - wells come plate after plate, row after row, whatever order they were predicted in", async () => {
  const at = (plate: string, well: string) => prediction({ ...site(well, 1), plate }, [0, 0], [0]);
  const arrived = [at("10", "B02"), at("2", "AA02"), at("2", "C02"), at("2", "B10"), at("10", "B01"), at("2", "B09")];
  const { context } = contextFor({ ...experiment, plates: ["2", "10"] });
  const ordered = ["2 B09", "2 B10", "2 C02", "2 AA02", "10 B01", "10 B02"];
  for (const items of [arrived, [...arrived].reverse()]) {
    const wells = await runStage<"well-prediction">(aggregateSites, {}, items, context);
    assert.deepEqual(
      wells.map(({ plate, well }) => `${plate} ${well}`),
      ordered,
    );
  }
});

test("aggregate - sums in double precision: a thousand rounds of one answer give that answer", async () => {
  const rounds = Array.from({ length: 1000 }, (_, round) => prediction(sites[0]!, [-9, 9], [0.1], round));
  const [only] = await runStage<"well-prediction">(aggregateSites, {}, rounds, context);
  assert.deepEqual(
    [...only!.probabilities],
    [-9, 9].map((logit) => Math.fround(1 / (1 + Math.exp(-logit)))),
  );
  assert.deepEqual([...only!.features], [Math.fround(0.1)]);
  assert.equal(only!.rounds, 1000);
});

test("aggregate - a well is the same to the last bit, whatever order its sites were predicted in", async () => {
  const wide = [1, 2, 3].map((number) => ({ ...site("B02", number), metadata: { file: `s${number}` } }));
  const answers = [1e20, 1, -1e20].map((feature, index) => prediction(wide[index]!, [0.1 * index], [feature]));
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [0, 2, 1],
  ] as const;
  for (const order of orders) {
    const given = order.map((index) => answers[index]!);
    const [well] = await runStage<"well-prediction">(aggregateSites, {}, given, context);
    assert.deepEqual([...well!.features], [Math.fround(1 / 3)]);
    assert.deepEqual(well!.metadata, { file: "s1" });
  }
});

test("aggregate - sites of one well from different networks or kinds of statistics are an error", async () => {
  const first = prediction(sites[0]!, [0, 0], [0]);
  const second = prediction(sites[1]!, [0, 0], [0]);
  await assert.rejects(
    runStage(aggregateSites, {}, [first, { ...second, model: { ...model, version: "1" } }], context),
    {
      message:
        "[invalid-model] the sites of plate 1 well B02 were predicted by different networks: free 0 (HUVEC) and free 1 (HUVEC); give all workers the same bundle",
    },
  );
  await assert.rejects(runStage(aggregateSites, {}, [first, { ...second, statistics: "4f2a" }], context), {
    message:
      "[invalid-model] the sites of plate 1 well B02 were predicted by free with different statistics: batch and calibrated; one kind has to serve all sites of an experiment",
  });
});
