/** Processor time: on a shared machine it says what wall time cannot. */
import { readFileSync } from "node:fs";

const ticksPerSecond = 100;

const childSeconds = (): number => {
  try {
    const pids = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    const ticks = pids.map((pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
      return Number(fields[11]) + Number(fields[12]);
    });
    return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSecond;
  } catch {
    return Number.NaN; // no /proc, or a child that has just ended
  }
};

/** Processor seconds so far of this process and of those that it has started and that still run; NaN where that is not known. */
export const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + childSeconds();
};
