/** The last words of a run: a short table, what went wrong, and where the files are. */
import { join } from "node:path";
import Table from "cli-table3";
import type { Accuracies } from "../../pipeline/results/accuracy.ts";
import type { RunReport } from "../../pipeline/results/run-report.ts";
import { type Strategy, strategies } from "../../pipeline/stage/items.ts";
import { formatRate } from "../terminal/live-view.ts";

/** With `json`: one line, the run's report, of type `summary`. */
export const renderSummary = (report: RunReport, { json }: { readonly json: boolean }): string => {
  if (json) return `${JSON.stringify({ time: report.finishedAt, type: "summary", ...report })}\n`;
  return `${[table(report), ...problems(report), "", ...files(report)].join("\n")}\n`;
};

const table = ({ experiments, total }: RunReport): string => {
  const known = strategies.filter((strategy) => total.accuracy[strategy] !== undefined);
  const drawn = new Table({
    head: ["experiment", "wells", "called", "sites left out", ...known, "images/s"],
    colAligns: ["left", "right", "right", "right", ...known.map(() => "right" as const), "right"],
    style: { head: [], border: [], compact: true },
  });
  const row = (
    name: string,
    each: { wells: number; called: number; accuracy: Accuracies; imagesPerSecond: number },
    leftOut: number,
  ) => [
    name,
    each.wells,
    each.called,
    leftOut,
    ...known.map((strategy) => percent(each.accuracy, strategy)),
    formatRate(each.imagesPerSecond).replace(" images/s", ""),
  ];
  for (const each of experiments) drawn.push(row(each.experiment, each, each.leftOut.length));
  drawn.push(row("total", total, total.leftOut));
  const scored = known.map((strategy) => total.accuracy[strategy]!.n);
  const truth =
    known.length === 0 ? [] : [`accuracy on the ${Math.max(...scored)} treatment wells whose treatment is known`];
  return [drawn.toString(), ...truth].join("\n");
};

const percent = (accuracy: Accuracies, strategy: Strategy): string => {
  const scored = accuracy[strategy];
  return scored === undefined ? "" : `${(100 * scored.accuracy).toFixed(1)} %`;
};

const problems = ({ failures, notes, models, experiments }: RunReport): string[] => {
  const used = new Set(experiments.flatMap((each) => each.models.map(({ version }) => version)));
  const untrained = models.filter(({ trained, version }) => !trained && used.has(version)).map(({ name }) => name);
  return [
    ...failures.map(({ experiment, code, reason }) => `${experiment} failed: [${code}] ${reason}`),
    ...(untrained.length === 0
      ? []
      : [`${[...new Set(untrained)].join(", ")} was never trained: its calls mean nothing`]),
    ...notes,
  ];
};

const files = ({ folder }: RunReport): string[] =>
  (
    [
      ["calls.csv", "the call of every well, and why some have none"],
      ["submission.csv", "the treatment wells in the competition's format"],
      ["profiles.parquet", "features and Metadata_ columns of every well"],
      ["run.json", "configuration, networks, timings, what was left out"],
    ] as const
  ).map(([name, what]) => `${join(folder, name)}  ${what}`);
