/** Draws whether confidence means what it says: the share of right calls over their confidence. */
import type { Belief } from "./believe.ts";

const [size, left, top] = [400, 80, 90];
const x = (value: number): string => (left + value * size).toFixed(1);
const y = (value: number): string => (top + (1 - value) * size).toFixed(1);

/** An SVG; dots on the diagonal are calls that are right as often as they say. The area of a dot is its number of wells. */
export const reliabilityChart = ({ bins, wells, ece }: Belief, caption: string): string => {
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((tick) => [
    `<line x1="${x(tick)}" x2="${x(tick)}" y1="${y(0)}" y2="${y(1)}" stroke="#e3e3e3"/>`,
    `<line x1="${x(0)}" x2="${x(1)}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e3e3e3"/>`,
    `<text x="${x(tick)}" y="${top + size + 20}" text-anchor="middle">${tick}</text>`,
    `<text x="${left - 10}" y="${Number(y(tick)) + 4}" text-anchor="end">${tick}</text>`,
  ]);
  const dots = bins.map(
    (bin) =>
      `<circle cx="${x(bin.confidence)}" cy="${y(bin.right)}" r="${(3 + 22 * Math.sqrt(bin.wells / wells)).toFixed(1)}" fill="#2a6f97" fill-opacity="0.6"><title>${bin.wells} wells: confidence ${bin.confidence.toFixed(3)}, right ${bin.right.toFixed(3)}</title></circle>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + size + 40}" height="${top + size + 60}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#222">`,
    `<title>Reliability of confidence</title><rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="16" y="24" font-size="16" font-weight="bold">Calls that are right, by their confidence</text>`,
    `<text x="16" y="44" fill="#555">${caption.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`,
    `<text x="16" y="62" fill="#555">${wells} wells, expected calibration error ${ece.toFixed(3)}</text>`,
    ...ticks,
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="#999" stroke-dasharray="4 4"/>`,
    ...dots,
    `<text x="${left + size / 2}" y="${top + size + 44}" text-anchor="middle">confidence</text>`,
    `<text transform="translate(24 ${top + size / 2}) rotate(-90)" text-anchor="middle">share of calls that are right</text>`,
    "</svg>",
    "",
  ].join("\n");
};
