/** The picture of a training run: loss above, accuracy on held-out wells below, over the epochs of all stages. */
import type { EpochRecord } from "./epoch-record.ts";
import { gridLine, line, type Point, sheet, text } from "./svg.ts";

const [width, left, right] = [860, 70, 190];
const panels = { loss: { top: 60, height: 190 }, accuracy: { top: 310, height: 220 } } as const;
const bottom = panels.accuracy.top + panels.accuracy.height;
const colours = { loss: "#374151", calibrated: "#0f766e", running: "#c2410c" } as const;

/** Round numbers that cover the values on a logarithmic axis: 1, 2 and 5 times powers of ten. */
const roundMarks = (least: number, most: number): number[] => {
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const digit of [1, 2, 5]) marks.push(digit * 10 ** power);
  const from = Math.max(
    0,
    marks.findLastIndex((mark) => mark <= least),
  );
  const to = marks.findIndex((mark) => mark >= most);
  return marks.slice(from, to + 1);
};

/** An SVG document. */
export const drawCurves = (title: string, records: readonly EpochRecord[]): string => {
  const epochs = Math.max(records.length, 2);
  const x = (index: number) => left + ((index + 1) / epochs) * (width - left - right);
  const finite = records.map(({ loss }) => loss).filter((loss) => loss > 0 && Number.isFinite(loss));
  const [least, most] = [Math.min(...finite, 1e9), Math.max(...finite, 1e-9)];
  const marks = finite.length === 0 ? [0.1, 1] : roundMarks(least, most * 1.0001);
  const [low, high] = [Math.log(marks[0]!), Math.log(marks.at(-1)!)];
  const { loss: upper, accuracy: lower } = panels;
  const lossY = (loss: number) => upper.top + (1 - (Math.log(loss) - low) / (high - low || 1)) * upper.height;
  const accuracyY = (part: number) => lower.top + (1 - part) * lower.height;
  const grid = (y: number, label: string) => gridLine(left, width - right, y, label);
  const curve = (key: "running" | "calibrated"): Point[] =>
    records.flatMap((record, i) => (record[key] === undefined ? [] : [[x(i), accuracyY(record[key])] as const]));
  const lastOf = (key: "running" | "calibrated") => records.findLast((record) => record[key] !== undefined)?.[key];
  const label = (key: "running" | "calibrated", lines: readonly [string, string], at: number) =>
    text(width - right + 10, at, lines[0], `fill="${colours[key]}" font-weight="600"`) +
    text(width - right + 10, at + 16, lines[1], `fill="${colours[key]}"`);
  const percent = (part: number | undefined) => (part === undefined ? "" : `: ${(100 * part).toFixed(1)} %`);
  const [calibrated, running] = [lastOf("calibrated"), lastOf("running")];
  const above = Math.min(accuracyY(calibrated ?? 0.6), accuracyY(running ?? 0.1) - 40);
  const starts = records.flatMap((record, i) => (i === 0 || records[i - 1]!.stage !== record.stage ? [i] : []));
  const stages = starts.map((i) => {
    const at = i === 0 ? left : x(i - 1);
    const divider =
      i === 0
        ? ""
        : `<line x1="${at}" x2="${at}" y1="${upper.top - 10}" y2="${bottom}" stroke="#9ca3af" stroke-dasharray="3 4"/>`;
    return divider + text(at + 4, upper.top - 14, records[i]!.name, 'fill="#6b7280"');
  });
  const ticks = [1, Math.ceil(epochs / 2), epochs].map((epoch) =>
    text(x(epoch - 1), bottom + 18, String(epoch), 'text-anchor="middle"'),
  );
  return sheet(width, bottom + 50, title, left, [
    ...stages,
    ...marks.map((mark) => grid(lossY(mark), String(Number(mark.toPrecision(1))))),
    text(left + 6, upper.top + upper.height - 8, "training loss, mean over an epoch (logarithmic)"),
    line(
      records.flatMap(({ loss }, i) => (loss > 0 ? [[x(i), lossY(loss)] as const] : [])),
      colours.loss,
    ),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => grid(accuracyY(part), `${100 * part} %`)),
    text(left + 6, lower.top - 8, "held-out wells called right"),
    line(curve("running"), colours.running),
    line(curve("calibrated"), colours.calibrated),
    label(
      "calibrated",
      [`calibrated${percent(calibrated)}`, "statistics of the plate itself"],
      Math.max(above, lower.top + 8),
    ),
    label(
      "running",
      [`running${percent(running)}`, "statistics of the training"],
      Math.max(accuracyY(running ?? 0.1), lower.top + 48) - 8,
    ),
    ...ticks,
    text((left + width - right) / 2, bottom + 38, "epoch", 'text-anchor="middle"'),
  ]);
};
