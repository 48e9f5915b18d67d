import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { renderSummary } from "../../cli/start/summary.ts";
import { reportExperiment } from "../../pipeline/results/report.ts";
import { type RunFacts, reportRun } from "../../pipeline/results/run-report.ts";
import { config, model, resultOf } from "../results/results.ts";

const reportOf = (id: string, ...wells: Parameters<typeof resultOf>[1]) => reportExperiment(resultOf(id, wells)).report;
const byStrategy = { argmax: "0", "once-per-experiment": "1" };
const experiments = [
  reportOf("HUVEC-01", { well: "B02", treatment: "1", called: "1", byStrategy }, { well: "B03", treatment: "2" }),
  reportOf("HUVEC-02", { well: "B02", called: "1", byStrategy }),
];
const run = (changes: Partial<RunFacts> = {}) =>
  reportRun({
    folder: "/runs/mine",
    config,
    startedAt: new Date(0),
    seconds: 2,
    images: 4,
    experiments,
    failedNow: [],
    failures: [],
    ...changes,
  });
const summary = (changes: Partial<RunFacts> = {}) =>
  stripVTControlCharacters(renderSummary(run(changes), { json: false }));

test("the summary has a row per experiment and a total, with accuracy where labels are known", () => {
  const rows = summary()
    .split("\n")
    .filter((line) => line.startsWith("│"))
    .map((line) => line.split("│").map((cell) => cell.trim()));
  assert.deepEqual(rows, [
    [
      "",
      "experiment",
      "wells",
      "called",
      "sites left out",
      "argmax",
      "once-per-experiment",
      "plate-groups",
      "images/s",
      "",
    ],
    ["", "HUVEC-01", "2", "1", "2", "0.0 %", "50.0 %", "50.0 %", "0.5", ""],
    ["", "HUVEC-02", "1", "1", "0", "", "", "", "0.5", ""],
    ["", "total", "3", "2", "2", "0.0 %", "50.0 %", "50.0 %", "2", ""],
  ]);
  assert.match(summary(), /\naccuracy on the 2 treatment wells whose treatment is known\n/);
  assert.match(summary(), /\n\/runs\/mine\/calls\.csv {2}the call of every well/);
});

test("the summary has no accuracy where no label is known", () => {
  assert.doesNotMatch(summary({ experiments: experiments.slice(1) }), /argmax|accuracy/);
});

test("the summary says what failed and that an untrained network means nothing", () => {
  const untrained = { ...model, trained: false };
  const failure = { experiment: "RPE-01", cellType: "RPE", attempts: 3, code: "deadline", reason: "late" };
  const text = summary({
    config: { ...config, models: [untrained] },
    experiments: [reportOf("HUVEC-01", { well: "B02", called: "1", model: untrained })],
    failures: [failure],
  });
  assert.match(text, /\nRPE-01 failed: \[deadline\] late\n/);
  assert.match(text, /\ndemo was never trained: its calls mean nothing\n/);
});

test("the summary for machines is one line with the whole report", () => {
  const text = renderSummary(run(), { json: true });
  assert.equal(text.indexOf("\n"), text.length - 1);
  assert.deepEqual(JSON.parse(text).experiments, JSON.parse(JSON.stringify(experiments)));
  assert.equal(JSON.parse(text).type, "summary");
});
