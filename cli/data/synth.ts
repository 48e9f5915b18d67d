/** What `pipeline data synth` does. */

import { PlatestreamError } from "../../common/errors.ts";
import { synthesise } from "../../datasets/synthetic/synthesise.ts";
import { interruptible } from "../parts/interruptible.ts";
import { progressLine } from "../terminal/progress-line.ts";

export interface SynthOptions {
  readonly experiments?: string;
  readonly cellTypes: string;
  readonly count: string;
  readonly [parameter: string]: string | undefined;
}

export const writeSynthetic = async (dir: string, options: SynthOptions): Promise<void> => {
  const { experiments, cellTypes, count, ...parameters } = options;
  const numbers = Object.entries(parameters).map(([name, text]) => [name, readNumber(name, text!)]);
  const names = experiments === undefined ? firstOf(cellTypes, count) : expandNames(experiments);
  const line = progressLine("images", process.stderr);
  const { drain, signal, close } = interruptible(({ type }) => {
    if (type === "draining") process.stderr.write("\ninterrupted: finishing the wells that are being drawn\n");
  });
  const started = performance.now();
  let made = 0;
  try {
    await synthesise(
      dir,
      { experiments: names, ...Object.fromEntries(numbers) },
      {
        signal: AbortSignal.any([drain, signal]),
        onProgress: ({ done, all, experimentsDone, experiments: wanted }) => {
          made = done;
          line.next(done, all, `${experimentsDone} of ${wanted} experiments`);
        },
      },
    );
  } finally {
    line.close();
    close();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(
    made === 0
      ? `${dir} holds ${names.join(", ")} already\n`
      : `${made} images of ${names.length} experiments in ${seconds} s: ${dir}\n`,
  );
};

const readNumber = (parameter: string, text: string): number => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  const option = parameter.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new PlatestreamError("invalid-config", `--${option} takes a number, got "${text}"`);
};

const firstOf = (cellTypes: string, count: string): string[] =>
  cellTypes.split(",").flatMap((cellType) => numbered(cellType.trim(), 1, Number(count)));

/** `HUVEC-01..03,RPE-05` are four names. */
export const expandNames = (list: string): string[] =>
  list.split(",").flatMap((item) => {
    const range = /^(.+)-(\d+)\.\.(\d+)$/.exec(item.trim());
    return range === null ? [item.trim()] : numbered(range[1]!, Number(range[2]), Number(range[3]));
  });

const numbered = (cellType: string, first: number, last: number): string[] => {
  if (!(Number.isInteger(last) && last >= first && last < 10_000)) {
    throw new PlatestreamError(
      "invalid-config",
      `experiments are numbered from ${first} to a higher number, got ${last}`,
    );
  }
  return Array.from(
    { length: last - first + 1 },
    (_, index) => `${cellType}-${String(first + index).padStart(2, "0")}`,
  );
};
