/** What `pipeline adapt` does: opens the data, adapts, and shows how it goes. */
import Table from "cli-table3";
import { lockFolder } from "../../common/folder-lock.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { type AdaptReport, adaptBundle } from "../../training/adapt/adapt-bundle.ts";
import type { AdaptRound } from "../../training/adapt/adapt-network.ts";
import { percent, readAdaptRecipe, roundSentence } from "../parts/adaptation.ts";
import { choose } from "../parts/choose-experiments.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { interruptible } from "../parts/interruptible.ts";
import { openForCommand } from "../parts/open-dataset.ts";

export interface AdaptFlags extends DatasetOptions {
  readonly data: string;
  readonly model: string;
  readonly out: string;
  readonly with?: string;
  readonly recipe: string;
  readonly provider: "cpu" | "cuda" | "webgpu";
  readonly threads: number;
  readonly cacheMib: number;
  readonly json?: boolean;
}

export const runAdaptation = async (wanted: readonly string[], flags: AdaptFlags): Promise<void> => {
  const recipe = await readAdaptRecipe(flags.recipe);
  const dataset = await openForCommand(flags.data, flags);
  const experiments = choose(dataset, wanted).map(({ id }) => id);
  const original = flags.with === undefined ? undefined : await openForCommand(flags.with, flags);
  const stop = new AbortController();
  const interrupts = interruptible(() => {
    process.stderr.write("interrupted: the same command goes on from the last round\n");
    stop.abort();
  });
  await makeFolder(flags.out);
  const unlock = await lockFolder(flags.out);
  try {
    const { model, out, provider, threads } = flags;
    const cacheBytes = flags.cacheMib * 2 ** 20;
    const run = { recipe, model, out, experiments, original, provider, threads, cacheBytes, stop: stop.signal };
    const onRound = (round: AdaptRound) => process.stderr.write(`${round.cellType} ${roundSentence(round)}\n`);
    const adapted = await adaptBundle(dataset, { ...run, onRound });
    process.stdout.write(
      flags.json ? `${JSON.stringify(Object.fromEntries(adapted))}\n` : `${table(adapted)}\n${out}\n`,
    );
  } finally {
    interrupts.close();
    await unlock();
  }
};

const table = (adapted: ReadonlyMap<string, AdaptReport>): string => {
  const drawn = new Table({
    head: ["cell type", "rounds", "calls that changed", "why it ended"],
    style: { head: [], border: [] },
  });
  for (const [cellType, { rounds, changed, ended }] of adapted) {
    drawn.push([cellType, rounds.length, percent(changed), ended]);
  }
  return drawn.toString();
};
