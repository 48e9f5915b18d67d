/** The configuration of a run: the file that `pipeline start --config` reads, with the command line's options laid over it. */
import { z } from "zod";
import { PlatestreamError } from "../common/errors.ts";
import { parse } from "../common/schema.ts";

/** A stage by name or file, with its options. In YAML: `- decode`, or `- decode: { concurrency: 2 }`. */
export interface StageEntry {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const stageEntry = z
  .union([z.string().min(1), z.record(z.string(), z.union([z.record(z.string(), z.unknown()), z.null()]))], {
    error: "expected a stage name, or one stage name with its options",
  })
  .transform((entry, context): StageEntry => {
    if (typeof entry === "string") return { use: entry, options: {} };
    const [[use, options] = ["", null], ...more] = Object.entries(entry);
    if (use === "" || more.length > 0) {
      context.addIssue({ code: "custom", message: "expected one stage name with its options (mind the indentation)" });
    }
    return { use, options: options ?? {} };
  });

const runConfig = z.strictObject({
  data: z.string().min(1).describe("folder of the dataset, or its CSV"),
  layout: z.string().default("auto").describe("layout of the dataset on disk; auto: found out from its files"),
  columns: z
    .record(z.string(), z.string())
    .default({})
    .describe("columns of tables that their names do not show: role (class, well, ...) or image:CHANNEL to column"),
  where: z.string().optional().describe("read the rows of tables for which this expression is true"),
  channels: z.array(z.string()).min(1).optional().describe("channels to read, by name and in this order"),
  plane: z
    .union([z.int().nonnegative(), z.literal("max")])
    .optional()
    .describe("plane of z-stacks to read, or the maximum over all"),
  time: z.int().nonnegative().optional().describe("time point to read, where there are several"),
  map: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      "images that lie elsewhere than the tables say: prefix of a location (s3://bucket) to what stands in its place",
    ),
  level: z.int().nonnegative().optional().describe("level of the pyramid of OME-Zarr images; 0: full resolution"),
  plateMap: z
    .string()
    .min(1)
    .optional()
    .describe("table of what is in the wells, for images whose files do not say it"),
  encoding: z.string().optional().describe("encoding of tables; detected from their bytes where it is not given"),
  experiments: z.array(z.string()).default([]).describe("experiments to run; none: all of the dataset"),
  out: z.string().min(1).default("runs/latest").describe("folder that the results go to"),
  model: z.string().min(1).optional().describe("folder of the bundle, for a worker that the run starts by itself"),
  adapt: z
    .string()
    .min(1)
    .optional()
    .describe(
      "recipe by which a copy of the bundle learns from every experiment, without its labels, before it calls it",
    ),
  original: z.string().min(1).optional().describe("labelled dataset that the bundle was trained on; adapt mixes it in"),
  workers: z
    .array(z.string())
    .default([])
    .describe(
      "addresses of workers that run already: host:port, or triton://host:port/model for a server of the Open Inference Protocol",
    ),
  connectionsPerWorker: z
    .int()
    .min(1)
    .max(16)
    .default(2)
    .describe("connections to each worker, for pixels that must be sent because it is on another host"),
  sharedMemory: z
    .boolean()
    .default(true)
    .describe("leave pixels in shared memory for workers on the same host that can read it"),
  memoryMiB: z.number().positive().default(1024).describe("memory that decoded pixels may take, over all experiments"),
  concurrentExperiments: z.int().positive().default(2).describe("experiments that run side by side"),
  attempts: z.int().positive().default(3).describe("times an experiment is tried before it fails"),
  stages: z.array(stageEntry).min(1).describe("the chain, from sites to calls"),
});
export type RunConfig = z.output<typeof runConfig>;

/** Parses a run's configuration; `where` names its source in errors. `usual` is the chain of one that names no stages. */
export const parseRunConfig = (value: unknown, where: string, usual: readonly string[]): RunConfig => {
  const withUsual = runConfig.extend({
    stages: runConfig.shape.stages.default(usual.map((use) => ({ use, options: {} }))),
  });
  return parse(withUsual, value, where);
};

/**
 * Lays `stage.option=value` settings over the chain; values are read as JSON where they are JSON.
 * A setting of a stage that the chain does not have is an error.
 */
export const withSettings = (stages: readonly StageEntry[], settings: readonly string[]): StageEntry[] => {
  const changed = stages.map((stage) => ({ ...stage }));
  for (const setting of settings) {
    const [, use, option, text] = /^(.+)\.([A-Za-z]+)=(.*)$/s.exec(setting) ?? [];
    const stage = changed.find((entry) => entry.use === use);
    if (stage === undefined || option === undefined) {
      throw new PlatestreamError(
        "invalid-config",
        `--set takes STAGE.OPTION=VALUE with a stage of the chain (${stages.map((entry) => entry.use).join(", ")}), got "${setting}"`,
      );
    }
    stage.options = { ...stage.options, [option]: readValue(text!) };
  }
  return changed;
};

const readValue = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
