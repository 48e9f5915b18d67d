import assert from "node:assert/strict";
import { test } from "node:test";
import { ladderChart } from "../../evaluation/chart.ts";
import { estimate, showEstimate } from "../../evaluation/estimate.ts";
import { type EvaluationOptions, evaluate } from "../../evaluation/evaluate.ts";
import { parseRunConfig } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { freeModel, freeWorkers } from "../../testing/free-workers.ts";
import { temporaryFolder, writeExperiment } from "../kit/experiment.ts";

const options = (experiments: Awaited<ReturnType<typeof writeExperiment>>[]): EvaluationOptions => ({
  experiments,
  load: async (id) => experiments.find((experiment) => experiment.id === id)!,
  chainFor: (conditions) => buildChain(parseRunConfig({ data: "d" }, "", usualChain).stages, stages, ".", conditions),
  workers: { model: freeWorkers(freeModel("HUVEC", 8, 8, 2)), before: undefined },
  memoryBytes: 2 ** 20,
  signal: new AbortController().signal,
  onPass: () => undefined,
});

test("evaluate - scores every rung on every experiment; what is not to be had is left out", async (t) => {
  const folder = await temporaryFolder(t);
  const right = await writeExperiment(folder, { id: "HUVEC-01" });
  const half = await writeExperiment(folder, { id: "HUVEC-02" });
  // the free network reads the grey level, so wrong labels on one plate halve the accuracy
  const sites = half.sites.map((site) => (site.plate === "1" ? { ...site, treatment: "7" } : site));
  const { rungs, cellTypes } = await evaluate(options([right, { ...half, sites }]));
  assert.deepEqual(cellTypes, ["HUVEC"]);
  const plate = rungs.find(({ rung }) => rung.name === "calibrated-plate")!;
  assert.deepEqual(plate.accuracies, { "HUVEC-01": 1, "HUVEC-02": 0.5 });
  assert.equal(plate.total.mean, 0.75);
  assert.deepEqual(plate.byCellType.HUVEC, plate.total);
  const names = rungs.map(({ rung }) => rung.name);
  assert.ok(names.includes("running") && names.includes("bagging") && names.includes("one-site"));
  assert.ok(!names.includes("before-mixup"), "there is no bundle from before the finetune");
});

test("evaluate - a rung that no stage of the chain can set up is left out by name, not scored as another", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t));
  const usual = options([experiment]);
  const { rungs, missing } = await evaluate({
    ...usual,
    chainFor: async (conditions) =>
      (await usual.chainFor(conditions)).map((link) =>
        link.use === "infer" ? { ...link, stage: { ...link.stage, conditions: { "batch-statistics": {} } } } : link,
      ),
  });
  assert.deepEqual(
    rungs.map(({ rung }) => rung.name),
    ["batch", "bagging"],
  );
  const { reason } = missing.find(({ rung }) => rung.name === "running")!;
  assert.equal(reason, "no stage of the chain can normalise with the statistics of training");
});

test("evaluate - experiments without labels are an error", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t));
  const unlabelled = experiment.sites.map(({ treatment: _, ...site }) => site);
  await assert.rejects(evaluate(options([{ ...experiment, sites: unlabelled }])), {
    message:
      "[invalid-data] evaluation needs treatment wells whose treatment is known, and none of the experiments has any; `pipeline start` calls unlabelled ones",
  });
});

test("estimate - Student's t interval of the mean", () => {
  const of = (...correct: number[]) => correct.map((each) => ({ n: 10, correct: each }));
  const { mean, low, high, over, n } = estimate(of(6, 7, 8));
  assert.ok(Math.abs(mean - 0.7) < 1e-12);
  assert.ok(Math.abs(high - mean - (4.303 * 0.1) / Math.sqrt(3)) < 1e-12);
  assert.ok(Math.abs(mean - low - (high - mean)) < 1e-12);
  assert.deepEqual([over, n], ["experiments", 3]);
  assert.equal(showEstimate(estimate(of(5, 5, 5))), "0.500 ± 0.000");
});

test("estimate - fewer than three experiments are estimated from their wells, with Wilson's interval", () => {
  assert.equal(showEstimate(estimate([{ n: 55, correct: 22 }])), "0.400 (0.28 to 0.53)");
  const two = estimate([
    { n: 10, correct: 5 },
    { n: 10, correct: 7 },
  ]);
  assert.deepEqual([two.mean, two.over, two.n], [0.6, "wells", 20]);
});

test("chart - shows each rung with its mean, and escapes what it is given", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t));
  const svg = ladderChart(await evaluate(options([experiment])), "synthetic <data>");
  assert.match(svg, /calibrated on the plate, 2 sites/);
  assert.match(svg, /100\.0 %/);
  assert.match(svg, /synthetic &lt;data&gt;/);
});
