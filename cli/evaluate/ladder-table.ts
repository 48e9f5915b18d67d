/** The ladder as a table, for terminals and for Markdown. */
import Table from "cli-table3";
import type { Belief } from "../../evaluation/believe.ts";
import { showEstimate } from "../../evaluation/estimate.ts";
import type { Evaluation } from "../../evaluation/evaluate.ts";

const rows = ({ rungs, cellTypes }: Evaluation): { head: string[]; body: string[][] } => ({
  head: ["", "all", ...(cellTypes.length > 1 ? cellTypes : [])],
  body: rungs.map(({ rung, total, byCellType }) => [
    rung.label,
    showEstimate(total),
    ...(cellTypes.length > 1
      ? cellTypes.map((cellType) => (byCellType[cellType] === undefined ? "" : showEstimate(byCellType[cellType])))
      : []),
  ]),
});

export const ladderTable = (evaluation: Evaluation): string => {
  const { head, body } = rows(evaluation);
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...body);
  return [
    `Treatment wells called right: mean over experiments, 95 % confidence interval over ${evaluation.rungs[0]!.total.over} (n = ${evaluation.rungs[0]!.total.n})`,
    table.toString(),
    ...(evaluation.belief === undefined ? [] : beliefLines(evaluation.belief)),
    ...Object.entries(evaluation.serving).map(([cellType, how]) => `the bundle serves ${cellType} ${how}`),
    ...evaluation.missing.map(({ rung, reason }) => `left out: ${rung.label}: ${reason}`),
    "",
  ].join("\n");
};

const beliefLines = ({ ece, wells, coverage }: Belief): string[] => {
  const table = new Table({
    head: ["confidence at least", "wells called", "right of those"],
    style: { head: [], border: [] },
  });
  for (const { minConfidence, called, precision } of coverage) {
    const kept = called === 0 ? "" : precision.toFixed(4);
    table.push([minConfidence, `${(100 * called).toFixed(1)} %`, kept]);
  }
  return [`Confidence: expected calibration error ${ece.toFixed(3)} on ${wells} treatment wells`, table.toString()];
};

export const ladderMarkdown = (evaluation: Evaluation): string => {
  const { head, body } = rows(evaluation);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line), ""].join("\n");
};
