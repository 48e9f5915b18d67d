/** What `pipeline check` does: looks at every experiment, and says what it found in sentences. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { stringify } from "csv-stringify/sync";
import type { Dataset } from "../../datasets/open.ts";
import { type CheckedExperiment, type CheckOptions, checkExperiment } from "../../evaluation/check-experiment.ts";
import { parseRunConfig } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { choose } from "../parts/choose-experiments.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { interruptible } from "../parts/interruptible.ts";
import { openForCommand } from "../parts/open-dataset.ts";
import { openWorkers } from "../parts/open-workers.ts";
import { progressLine } from "../terminal/progress-line.ts";

export interface CheckFlags extends DatasetOptions {
  readonly data: string;
  readonly model?: string;
  readonly wells?: string;
  readonly json?: boolean;
}

/** Returns the exit code. */
export const runCheck = async (wanted: readonly string[], flags: CheckFlags): Promise<number> => {
  const dataset = await openForCommand(flags.data, flags);
  const experiments = choose(dataset, wanted);
  const { drain, signal, close } = interruptible(() => undefined);
  const stop = AbortSignal.any([drain, signal]);
  const opened = flags.model === undefined ? undefined : await openNetwork(flags.data, flags.model);
  const checked: CheckedExperiment[] = [];
  try {
    for (const { id } of experiments) {
      const line = progressLine("sites", process.stderr);
      const found = await checkExperiment(await dataset.load(id), {
        network: opened?.network,
        others: opened === undefined ? [] : await layoutsBeside(dataset, id),
        signal: stop,
        onSite: (done, all) => line.next(done, all, id),
      }).finally(() => line.close());
      checked.push(found);
      process.stdout.write(
        flags.json ? `${JSON.stringify(found)}\n` : `${sentences(found, dataset.channels).join("\n")}\n`,
      );
    }
    if (flags.wells !== undefined) await writeFile(flags.wells, wellTable(checked, dataset.channels));
  } finally {
    close();
    await opened?.close();
  }
  return checked.some((each) => sentences(each, dataset.channels).length > 1) ? 1 : 0;
};

const openNetwork = async (data: string, model: string) => {
  const config = parseRunConfig({ data, model: resolve(model) }, "the command line", usualChain);
  const workers = await openWorkers(config, () => undefined);
  const chain = await buildChain(config.stages, stages, process.cwd());
  const network: CheckOptions["network"] = { chain, workers, memoryBytes: config.memoryMiB * 2 ** 20 };
  return { network, close: workers.close };
};

/** What the plates of the dataset's other experiments are said to hold. */
const layoutsBeside = async (dataset: Dataset, id: string): Promise<CheckOptions["others"]> => {
  const others = await Promise.all(
    dataset.experiments.filter((each) => each.id !== id).map((each) => dataset.load(each.id)),
  );
  return others.flatMap(({ id: other, plates, sites }) =>
    plates.map((plate) => {
      const labelled = sites.filter((site) => site.plate === plate && site.treatment !== undefined);
      return {
        name: `plate ${plate} of ${other}`,
        claims: new Map(labelled.map((each) => [each.well, each.treatment!])),
      };
    }),
  );
};

const sentences = (found: CheckedExperiment, channels: readonly string[]): string[] => {
  const { experiment, wells, drifts, mixUps, oddControls, unreadable } = found;
  const flagged = wells.filter(({ flags }) => flags.length > 0);
  const lines = [
    ...mixUps.map(({ sentence }) => sentence),
    ...oddControls.map(
      ({ plate, well, control, call }) =>
        `plate ${plate} ${well} is said to be control ${control} and looks like ${call}`,
    ),
    ...drifts.map(
      ({ plate, channel, ratio, along }) =>
        `plate ${plate}: ${channels[channel]} is ${ratio.toFixed(1)} times brighter at one end of the ${along} than at the other`,
    ),
    ...flagged.map(
      ({ plate, well, flags }) =>
        `plate ${plate} ${well} is ${flags.map(({ flag, channel }) => `${flag} in ${channels[channel]}`).join(", ")}`,
    ),
    ...unreadable,
  ];
  const verdict = lines.length === 0 ? "nothing found" : `${lines.length} found:`;
  return [`${experiment}: ${wells.length} wells looked at, ${verdict}`, ...lines.map((each) => `  - ${each}`)];
};

const wellTable = (checked: readonly CheckedExperiment[], channels: readonly string[]): string => {
  const measures = ["mean", "contrast", "focus", "saturated"] as const;
  const head = [
    "experiment",
    "plate",
    "well",
    ...channels.flatMap((name) => measures.map((each) => `${name}_${each}`)),
    "flags",
  ];
  const rows = checked.flatMap(({ experiment, wells }) =>
    wells.map(({ plate, well, channels: own, flags }) => [
      experiment,
      plate,
      well,
      ...own.flatMap((quality) => measures.map((each) => Number(quality[each].toPrecision(6)))),
      flags.map(({ flag, channel }) => `${flag}:${channels[channel]}`).join(" "),
    ]),
  );
  return stringify([head, ...rows]);
};
