/** The ladder as a table, for terminals and for Markdown. */
import Table from "cli-table3";
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
    ...Object.entries(evaluation.serving).map(([cellType, how]) => `the bundle serves ${cellType} ${how}`),
    ...evaluation.missing.map(({ rung, reason }) => `left out: ${rung.label}: ${reason}`),
    "",
  ].join("\n");
};

export const ladderMarkdown = (evaluation: Evaluation): string => {
  const { head, body } = rows(evaluation);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line), ""].join("\n");
};
