/** Draws the ladder: a bar per rung, its confidence interval, and a dot per experiment. */
import type { Evaluation, RungScore } from "./evaluate.ts";

const row = 34;
const title = "Treatment wells called right, step by step";
const left = 370;
const width = 960;
const top = 92;
const plot = width - left - 120;
const colours = ["#c1440e", "#2a6f97", "#6a994e", "#8e5ea2", "#b08900", "#5f6368"];

const asText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const x = (accuracy: number): number => left + Math.min(1, Math.max(0, accuracy)) * plot;

/** An SVG picture that needs no explanation beside it. `caption` says what the data are. */
export const ladderChart = ({ rungs, cellTypes, experiments }: Evaluation, caption: string): string => {
  const bottom = top + rungs.length * row;
  const colourOf = (experiment: string) => {
    const cellType = experiments.find(({ id }) => id === experiment)?.cellType ?? "";
    return colours[cellTypes.indexOf(cellType) % colours.length]!;
  };
  const grid = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
    (tick) =>
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${top - 8}" y2="${bottom}" stroke="#e3e3e3"/>` +
      `<text x="${x(tick)}" y="${bottom + 20}" text-anchor="middle">${tick * 100} %</text>`,
  );
  const legend = cellTypes.map((cellType, index) => {
    const at = left + index * 110;
    return `<circle cx="${at}" cy="66" r="4" fill="${colours[index % colours.length]}"/><text x="${at + 9}" y="70">${asText(cellType)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom + 50}" viewBox="0 0 ${width} ${bottom + 50}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#222">`,
    `<title>${title}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="16" y="26" font-size="17" font-weight="bold">${title}</text>`,
    `<text x="16" y="46" fill="#555">${asText(caption)}</text>`,
    ...legend,
    ...grid,
    ...rungs.map((score, index) => bar(score, top + index * row, colourOf)),
    `<text x="${left}" y="${bottom + 40}" fill="#555">bar: mean over experiments; line: 95 % confidence interval over ${rungs[0]!.total.over}; dots: experiments</text>`,
    "</svg>",
    "",
  ].join("\n");
};

const bar = ({ rung, total, accuracies }: RungScore, y: number, colourOf: (experiment: string) => string): string => {
  const middle = y + row / 2 - 4;
  const interval = `<line x1="${x(total.low)}" x2="${x(total.high)}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="1.5"/>`;
  const dots = Object.entries(accuracies).map(
    ([experiment, accuracy]) =>
      `<circle cx="${x(accuracy).toFixed(1)}" cy="${middle}" r="3.2" fill="${colourOf(experiment)}" fill-opacity="0.85"/>`,
  );
  return [
    `<text x="${left - 10}" y="${middle + 4}" text-anchor="end">${asText(rung.label)}</text>`,
    `<rect x="${left}" y="${middle - 9}" width="${(x(total.mean) - left).toFixed(1)}" height="18" fill="#cfd8dc"/>`,
    interval,
    ...dots,
    `<text x="${width - 106}" y="${middle + 4}" font-weight="bold">${(total.mean * 100).toFixed(1)} %</text>`,
  ].join("");
};
