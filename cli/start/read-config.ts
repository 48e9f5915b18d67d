/** What `pipeline start` is to do: its options, and the configuration that they make with its file. */
import { delimiter, dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { PlatestreamError } from "../../common/errors.ts";
import type { ClientSecurityOptions } from "../../common/grpc/client-security.ts";
import { readOptionFile } from "../../common/read-file.ts";
import type { BusSecurityOptions } from "../../pipeline/bus/nats/security.ts";
import { parseRunConfig, type RunConfig, withSettings } from "../../pipeline/config.ts";
import { isUrl } from "../../screen/prefix-map.ts";
import { usualChain } from "../../stages/built-in.ts";
import { type DatasetOptions, openOptionsOf } from "../parts/dataset-options.ts";
import type { OperationsOptions } from "../parts/observe-options.ts";
import { prepareDemo } from "./demo.ts";
import type { ResultsServiceOptions } from "./serve-results.ts";

export interface StartOptions
  extends ClientSecurityOptions,
    BusSecurityOptions,
    OperationsOptions,
    DatasetOptions,
    ResultsServiceOptions {
  readonly config?: string;
  readonly data?: string;
  readonly experiment?: string[];
  readonly out?: string;
  readonly model?: string;
  readonly worker?: string[];
  readonly adapt?: string;
  readonly adaptWith?: string;
  readonly statistics?: string;
  readonly strategy?: string;
  readonly minConfidence?: string;
  readonly set: string[];
  readonly memory?: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
  /** `host:port` of the plate map. */
  readonly view?: string;
  readonly bus?: string;
  readonly dataRoot?: string[];
  readonly node?: string;
  readonly untilEmpty?: boolean;
  readonly lostAfter?: number;
  readonly busReplicas?: number;
}

export interface ResolvedConfig {
  readonly config: RunConfig;
  /** What relative paths of the configuration start from. */
  readonly folder: string;
  /** Nothing was asked for: the demo's experiments are called with the demo's bundle. */
  readonly demo: boolean;
}

/** The configuration file with the command line laid over it; without either, the demo's. */
export const readConfig = (options: StartOptions): Promise<ResolvedConfig> =>
  options.bus === undefined ? readOwn(options) : readOwn({ ...options, data: dataOfNode(options) });

/** A node has no dataset: in its place stand the folders that experiments may lie under. */
const dataOfNode = ({ dataRoot: roots = [], data, experiment }: StartOptions): string => {
  if (roots.length > 0 && data === undefined && experiment === undefined) {
    return roots.map((root) => (isUrl(root) ? root : resolve(root))).join(delimiter);
  }
  throw new PlatestreamError(
    "invalid-config",
    "a node takes its experiments from the bus: give it --data-root DIR, which they must lie under, and queue them with `pipeline submit --data DIR`",
  );
};

const readOwn = async (options: StartOptions): Promise<ResolvedConfig> => {
  if (options.config === undefined && options.data === undefined) {
    const demo = options.model === undefined && options.worker === undefined;
    return { ...lay(options, await prepareDemo(), process.cwd(), "the demo"), demo };
  }
  if (options.config === undefined) return lay(options, {}, process.cwd(), "the command line");
  const path = resolve(options.config);
  const text = (await readOptionFile("--config", options.config)).toString("utf8");
  try {
    const file: unknown = parseYaml(text);
    return lay(options, typeof file === "object" && file !== null ? file : {}, dirname(path), options.config);
  } catch (thrown) {
    throw thrown instanceof PlatestreamError
      ? thrown
      : new PlatestreamError("invalid-config", `${options.config} is not YAML: ${(thrown as Error).message.trimEnd()}`);
  }
};

/** Relative paths in a file start from its folder, wherever the command is run. */
const pathsFrom = (folder: string, file: object): Record<string, string> => {
  const known = Object.entries(file).filter(([key]) => ["data", "model", "out", "original", "plateMap"].includes(key));
  return Object.fromEntries(
    known.flatMap(([key, path]) => (typeof path === "string" ? [[key, resolve(folder, path)]] : [])),
  );
};

const lay = (options: StartOptions, file: object, folder: string, where: string): ResolvedConfig => {
  const { data, experiment, out, model, worker, memory, adapt, adaptWith: original } = options;
  const fromFile = { ...file, ...pathsFrom(folder, file) };
  const { where: rows, ...reading } = openOptionsOf(options);
  const chosen = {
    data,
    ...reading,
    where: rows,
    experiments: experiment,
    out,
    model,
    workers: worker,
    adapt,
    original,
  };
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const config = parseRunConfig(
    { ...fromFile, ...given, ...(memory === undefined ? {} : { memoryMiB: Number(memory) }) },
    where,
    usualChain,
  );
  const settings = [
    ...(options.statistics === undefined ? [] : [`infer.statistics=${options.statistics}`]),
    ...(options.strategy === undefined ? [] : [`plate-assign.strategy=${options.strategy}`]),
    ...(options.minConfidence === undefined ? [] : [`plate-assign.minConfidence=${options.minConfidence}`]),
    ...options.set,
  ];
  return { config: { ...config, stages: withSettings(config.stages, settings) }, folder, demo: false };
};
