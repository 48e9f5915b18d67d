/** The picture of an adaptation: round by round, the wells that were learnt from, and the calls that changed. */
import { gridLine, line, type Point, sheet, text } from "../loop/svg.ts";
import type { AdaptRound } from "./adapt-network.ts";

const [width, left, right] = [720, 70, 170];
const taken = { top: 60, height: 110, colour: "#0f766e" } as const;
const changed = { top: 220, height: 160, colour: "#c2410c" } as const;
const bottom = changed.top + changed.height;

/** An SVG document. */
export const drawRounds = (title: string, rounds: readonly AdaptRound[]): string => {
  const x = (index: number) => left + ((index + 1) / Math.max(rounds.length, 2)) * (width - left - right);
  const most = Math.max(0.05, ...rounds.map((round) => Math.ceil(20 * round.changed) / 20));
  const takenY = (share: number) => taken.top + (1 - share) * taken.height;
  const changedY = (share: number) => changed.top + (1 - share / most) * changed.height;
  const points = (y: (round: AdaptRound) => number): Point[] => rounds.map((round, i) => [x(i), y(round)]);
  const ticks = rounds.map((_, i) => text(x(i), bottom + 18, String(i + 1), 'text-anchor="middle"'));
  const percent = (share: number) => `${Number((100 * share).toFixed(1))} %`;
  return sheet(width, bottom + 50, title, left, [
    ...[0, 0.5, 1].map((share) => gridLine(left, width - right, takenY(share), percent(share))),
    text(left + 6, taken.top - 8, "wells learnt from as they were called, the clearest first"),
    line(
      points(({ taken: wells, wells: all }) => takenY(wells / Math.max(all, 1))),
      taken.colour,
    ),
    ...[0, most / 2, most].map((share) => gridLine(left, width - right, changedY(share), percent(share))),
    text(left + 6, changed.top - 8, "calls that changed in the round"),
    line(
      points((round) => changedY(round.changed)),
      changed.colour,
    ),
    ...ticks,
    text((left + width - right) / 2, bottom + 38, "round", 'text-anchor="middle"'),
  ]);
};
