/** One line on a terminal that is rewritten while something is counted: a bar, speed and time left. */
import { formatDuration, formatRate } from "./live-view.ts";

const redrawMs = 200;
const barWidth = 24;

export interface ProgressLine {
  next(done: number, all: number, note?: string): void;
  /** Takes the line off the terminal. */
  close(): void;
}

/** Says nothing where `stream` is not a terminal. */
export const progressLine = (what: string, stream: NodeJS.WriteStream): ProgressLine => {
  const started = Date.now();
  let drawn = 0;
  if (!stream.isTTY) return { next: () => undefined, close: () => undefined };
  return {
    next(done, all, note = "") {
      const now = Date.now();
      if (now - drawn < redrawMs && done < all) return;
      drawn = now;
      const full = Math.floor((barWidth * done) / Math.max(1, all));
      const perSecond = done / Math.max(0.001, (now - started) / 1000);
      const left = `${formatDuration((all - done) / perSecond)} left`;
      const bar = "█".repeat(full) + "░".repeat(barWidth - full);
      const speed = perSecond === 0 ? "" : `  ${formatRate(perSecond, what)}  ${left}`;
      stream.write(`\r\u001b[K${what}  ${bar}  ${done}/${all}${speed}  ${note}`.trimEnd());
    },
    close: () => void stream.write("\r\u001b[K"),
  };
};
