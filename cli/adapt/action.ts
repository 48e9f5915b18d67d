/** What `pipeline adapt` does: opens the data, adapts, and shows how it goes. */
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import Table from "cli-table3";
import { parse as parseYaml } from "yaml";
import { PlatestreamError } from "../../common/errors.ts";
import { lockFolder } from "../../common/folder-lock.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { packageFile } from "../../common/package-file.ts";
import { parse } from "../../common/schema.ts";
import { adaptBundle } from "../../training/adapt/adapt-bundle.ts";
import type { Adapted, AdaptRound } from "../../training/adapt/adapt-network.ts";
import { type AdaptRecipe, adaptRecipeSchema } from "../../training/adapt/adapt-recipe.ts";
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
    process.stderr.write("interrupted: finishing the round and writing a checkpoint\n");
    stop.abort();
  });
  await makeFolder(flags.out);
  const unlock = await lockFolder(flags.out);
  try {
    const { model, out, provider, threads } = flags;
    const cacheBytes = flags.cacheMib * 2 ** 20;
    const run = { recipe, model, out, experiments, original, provider, threads, cacheBytes, stop: stop.signal };
    const onRound = (round: AdaptRound) => process.stderr.write(`${roundLine(round)}\n`);
    const adapted = await adaptBundle(dataset, { ...run, onRound });
    const report = Object.fromEntries([...adapted].map(([cellType, { weights: _, ...rest }]) => [cellType, rest]));
    process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : `${table(adapted)}\n${out}\n`);
  } finally {
    interrupts.close();
    await unlock();
  }
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const roundLine = ({ cellType, stage, round, rounds, taken, wells, changed, loss, seconds }: AdaptRound): string =>
  `${cellType} ${stage} ${round + 1}/${rounds}   learnt from ${taken} of ${wells} wells as called   ` +
  `${round === 0 ? "" : `${percent(changed)} of the calls changed   `}loss ${loss.toPrecision(4)}   ${seconds.toFixed(0)} s`;

const table = (adapted: ReadonlyMap<string, Adapted>): string => {
  const drawn = new Table({
    head: ["cell type", "rounds", "calls that changed", "why it ended"],
    style: { head: [], border: [] },
  });
  for (const [cellType, { rounds, changed, ended }] of adapted) {
    drawn.push([cellType, rounds.length, percent(changed), ended]);
  }
  return drawn.toString();
};

const readAdaptRecipe = async (name: string): Promise<AdaptRecipe> => {
  const shipped = packageFile(`recipes/${name.replace(/\.yaml$/, "")}.yaml`);
  const given = statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
  const path = !given && !name.includes("/") && existsSync(shipped) ? shipped : name;
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new PlatestreamError("invalid-config", `the recipe ${path} cannot be read: ${cause.message}`, { cause });
  });
  return parse(adaptRecipeSchema, parseYaml(text) ?? {}, path);
};
