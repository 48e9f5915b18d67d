import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type ProgressMode, renderProgress } from "../../cli/start/progress.ts";
import { reportExperiment } from "../../pipeline/results/report.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { resultOf } from "../results/results.ts";

const render = (mode: ProgressMode) => {
  const out = new PassThrough();
  const err = new PassThrough();
  const text = (stream: PassThrough) => stripVTControlCharacters(String(stream.read() ?? ""));
  const progress = renderProgress(mode, { out, err });
  return { progress, out: () => text(out), err: () => text(err) };
};

const started: readonly Status[] = [
  {
    type: "run-started",
    experiments: [
      { id: "HUVEC-01", cellType: "HUVEC", sites: 8 },
      { id: "HUVEC-02", cellType: "HUVEC", sites: 8 },
    ],
    done: ["HUVEC-02"],
  },
  { type: "worker", address: "gpu1:7411", state: "ready", detail: "onnxruntime cpu" },
  {
    type: "experiment-running",
    experiment: "HUVEC-01",
    attempt: 2,
    plates: [
      { plate: "1", sites: 4 },
      { plate: "2", sites: 4 },
    ],
  },
];
const siteDone: Status = { type: "site-done", experiment: "HUVEC-01", plate: "1" };
const result = resultOf("HUVEC-01", [{ well: "B02", called: "1" }, { well: "B03" }]);
const leftOut: Status = { type: "left-out", experiment: "HUVEC-01", leftOut: result.leftOut[0]! };
const failed: Status = {
  type: "experiment-failed",
  failure: { experiment: "RPE-01", cellType: "RPE", attempts: 3, code: "plugin-failed", reason: "stage blur: no" },
};

const live = (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"], now: 1_000_000 });
  const rendered = render("live");
  for (const status of started) rendered.progress.next(status);
  t.after(() => rendered.progress.close());
  return rendered;
};

test("the live view has a bar per plate, speed, time left, attempts and workers", (t) => {
  const { progress, err, out } = live(t);
  for (const status of [siteDone, siteDone, leftOut]) progress.next(status);
  t.mock.timers.tick(4_000);
  const view = err();
  assert.match(view, /1 of 2 experiments {2}0\.5 images\/s {2}12 s left/);
  assert.match(view, /HUVEC-01 {2}2 of 8 sites {2}0\.5 images\/s {2}12 s left {2}attempt 2 {2}1 left out/);
  assert.match(view, / {2}plate 1 {2}█{12}░{12} {2}2\/4\n {2}plate 2 {2}░{24} {2}0\/4/);
  assert.match(view, /worker gpu1:7411 ready {2}onnxruntime cpu/);
  assert.equal(out(), "");
});

test("the live view shows the speed of the last seconds, not of the whole run", (t) => {
  const { progress, err } = live(t);
  progress.next(siteDone);
  t.mock.timers.tick(60_000);
  for (let site = 0; site < 2; site++) progress.next(siteDone);
  err();
  t.mock.timers.tick(250);
  assert.match(err(), /HUVEC-01 {2}3 of 8 sites {2}0\.1 images\/s {2}50 s left/);
});

test("what is finished, repeated or lost stays on the terminal, and leaves the view", (t) => {
  const { progress, err } = live(t);
  progress.next({ type: "experiment-waiting", experiment: "HUVEC-01", attempt: 1, reason: "[deadline] late" });
  progress.next({ type: "worker", address: "gpu1:7411", state: "lost", detail: "no connection" });
  assert.match(err(), /HUVEC-01: attempt 1 failed and is repeated: \[deadline\] late\n/);
  t.mock.timers.tick(250);
  const view = err();
  assert.doesNotMatch(view, /plate 1/);
  assert.match(view, /worker gpu1:7411 lost {2}no connection/);
  progress.next({ type: "experiment-done", report: reportExperiment(result).report });
  assert.match(err(), /HUVEC-01: 1 of 2 wells called, 2 sites left out, 4 s, 0\.5 images\/s\n/);
  t.mock.timers.tick(250);
  assert.match(err(), /2 of 2 experiments/);
});

test("quiet says one line per experiment that is finished or failed, on stderr", () => {
  const { progress, out, err } = render("quiet");
  for (const status of [...started, siteDone, leftOut, failed]) progress.next(status);
  progress.next({ type: "experiment-done", report: reportExperiment(result).report });
  progress.next({ type: "run-done", seconds: 4 });
  progress.close();
  assert.equal(
    err(),
    "RPE-01: failed after 3 attempts: [plugin-failed] stage blur: no\n" +
      "HUVEC-01: 1 of 2 wells called, 2 sites left out, 4 s, 0.5 images/s\n",
  );
  assert.equal(out(), "");
});

test("json writes every event as a line on stdout, without predictions and lists of sites", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.parse("2024-05-01T10:00:00Z") });
  const { progress, out, err } = render("json");
  for (const status of [siteDone, leftOut, failed]) progress.next(status);
  progress.next({ type: "experiment-done", report: reportExperiment(result).report });
  const events = out()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const time = "2024-05-01T10:00:00.000Z";
  assert.deepEqual(events, [
    { time, type: "site-done", experiment: "HUVEC-01", plate: "1" },
    {
      time,
      type: "left-out",
      experiment: "HUVEC-01",
      plate: "1",
      well: "B03",
      site: 1,
      stage: "decode",
      reason: "B03_s1.png is missing",
    },
    {
      time,
      type: "experiment-failed",
      experiment: "RPE-01",
      cellType: "RPE",
      attempts: 3,
      code: "plugin-failed",
      reason: "stage blur: no",
    },
    {
      time,
      type: "experiment-done",
      experiment: "HUVEC-01",
      cellType: "HUVEC",
      startedAt: time,
      seconds: 4,
      attempts: 1,
      images: 2,
      imagesPerSecond: 0.5,
      models: [{ name: "demo", version: "v1", cellType: "HUVEC", trained: true }],
      wells: 2,
      called: 1,
      leftOut: 2,
      notCalled: 1,
      notes: 1,
      accuracy: {},
      featureCount: 3,
    },
  ]);
  assert.equal(err(), "");
});
