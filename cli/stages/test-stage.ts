/** What `pipeline stages test` does: sends a few sites through one stage, and shows what went in and what came out. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { type Dataset, openDataset } from "../../datasets/open.ts";
import { synthesise } from "../../datasets/synthetic/synthesise.ts";
import { parseRunConfig, withSettings } from "../../pipeline/config.ts";
import { buildChain, type Link, loadLink } from "../../pipeline/stage/chain.ts";
import type { Ports } from "../../pipeline/stage/stage.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { freeModel, freeWorkers } from "../../testing/free-workers.ts";
import { runStage, type StageRun } from "../../testing/run-stage.ts";

export interface TestStageOptions {
  readonly data?: string;
  readonly sites: number;
  readonly set: readonly string[];
}

/** Returns the exit code: 0, or 1 when nothing came out of the stage. */
export const testStage = async (use: string, options: TestStageOptions): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), "platestream-"));
  try {
    const dataset = options.data === undefined ? await synthetic(folder) : await openDataset(options.data);
    return await sendThrough(use, options, dataset);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const synthetic = async (folder: string): Promise<Dataset> => {
  await synthesise(folder, { experiments: ["HUVEC-01"], classes: 8, plates: 1, positiveControls: 2, size: 64 }, {});
  return openDataset(folder);
};

const sendThrough = async (use: string, { sites, set }: TestStageOptions, dataset: Dataset): Promise<number> => {
  const { stages: entries } = parseRunConfig({ data: dataset.root, stages: [use] }, "the command line", usualChain);
  const [entry] = withSettings(entries, set);
  const tried = await loadLink(entry!, stages, process.cwd(), use);
  const first = dataset.experiments[0];
  if (first === undefined) throw new PlatestreamError("invalid-data", `${dataset.root} has no experiments`);
  const whole = await dataset.load(first.id);
  const experiment = { ...whole, sites: whole.sites.slice(0, sites) };
  const workers = freeWorkers(freeModel(experiment.cellType, 8, 64, experiment.sites[0]?.images.length));
  let items: readonly unknown[] = experiment.sites;
  for (const link of await before(tried)) items = (await run(link, items)).output;

  const started = performance.now();
  const { output, leftOut, notes } = await run(tried, items);
  const seconds = (performance.now() - started) / 1_000;
  const { input, output: gives } = tried.stage;
  const lines = [
    `${experiment.id} of ${dataset.root}: ${items.length} ${input} in, ${output.length} ${gives} out, in ${seconds.toFixed(2)} s`,
    ...items.slice(0, shown).map((item) => `  in   ${describeItem(item)}`),
    ...output.slice(0, shown).map((item) => `  out  ${describeItem(item)}`),
    ...leftOut.slice(0, shown).map(({ site, reason }) => `  left out  ${describeItem(site)}: ${reason}`),
    ...notes.map((note) => `  note  ${note}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return output.length > 0 ? 0 : 1;

  function run({ stage, options }: Link, into: readonly unknown[]): Promise<StageRun<keyof Ports>> {
    return runStage(stage, options as never, into as never[], { experiment, workers });
  }
};

const shown = 4;

/** The built-in stages that make what the tried one takes. */
const before = async ({ stage: { input } }: Link): Promise<readonly Link[]> => {
  const usual = await buildChain(
    usualChain.map((use) => ({ use, options: {} })),
    stages,
    process.cwd(),
  );
  const last = usual.map(({ stage }) => stage.output).lastIndexOf(input);
  if (input === "site") return [];
  if (last >= 0) return usual.slice(0, last + 1);
  throw new PlatestreamError("invalid-config", `no built-in stage gives "${input}", which this one takes`);
};

/** Names, sizes and a few values of whatever flows. */
const describeItem = (item: unknown): string => {
  const { site, images, plate, well, domain } = item as Record<string, unknown>;
  if (domain !== undefined) return `${(images as unknown[]).length} images of ${domain}`;
  if (typeof site === "object") return `${describeItem(site)}  ${values(item as Record<string, unknown>)}`;
  return `plate ${plate} well ${well}${typeof site === "number" ? ` site ${site}` : ""}`;
};

const values = (item: Record<string, unknown>): string =>
  Object.entries(item)
    .flatMap(([key, value]) => {
      if (ArrayBuffer.isView(value)) {
        const all = value as unknown as ArrayLike<number>;
        return [`${key} ${value.constructor.name} of ${all.length}, mean ${mean(all).toPrecision(4)}`];
      }
      return typeof value === "number" ? [`${key} ${value}`] : [];
    })
    .join(", ");

const mean = (all: ArrayLike<number>): number => Array.from(all).reduce((sum, value) => sum + value, 0) / all.length;
