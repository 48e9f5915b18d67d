import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "./figure.ts";
import { fullSizePlate } from "./full-size-plate.ts";

/** Peak memory of a process of its own that runs `plates` full-size plates. */
const peakMiB = async (plates: number): Promise<number> => {
  const script = fileURLToPath(new URL("./memory-process.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(plates)], { maxBuffer: 2 ** 24 });
  return Number(stdout.trim().split("\n").at(-1));
};

export const memory: Bench = {
  name: "memory",
  description:
    "peak memory of the pipeline process for 8 full-size plates, two experiments, against that for 2; at most 1.2",
  async run(report, log) {
    await fullSizePlate(log);
    const two = await peakMiB(2);
    const eight = await peakMiB(8);
    report({ figure: "memory.growth", value: eight, unit: "MiB", reference: two, ratio: eight / two });
  },
};
