/** Turns stage entries into a checked chain, before anything starts. */
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { parse } from "../../common/schema.ts";
import type { Experiment } from "../../screen/experiment.ts";
import type { StageEntry } from "../config.ts";
import type { Condition } from "./conditions.ts";
import { loadPlugin, pluginFile } from "./load-plugin.ts";
import { sourceDigest } from "./plugin-source.ts";
import type { AnyStage } from "./stage.ts";

/** A stage with its options parsed. */
export interface Link {
  readonly stage: AnyStage;
  readonly options: unknown;
  /** How the configuration names it. */
  readonly use: string;
  /** Of a plugin: how the configuration names it, and a digest of its sources. */
  readonly source?: string;
}
export type Chain = readonly Link[];

/**
 * Finds every stage, parses its options, and checks that each takes what the one before gives. The options by which a
 * stage meets a condition are laid over its own.
 */
export const buildChain = async (
  entries: readonly StageEntry[],
  builtIn: Readonly<Record<string, AnyStage>>,
  baseFolder: string,
  met: readonly Condition[] = [],
): Promise<Chain> => {
  const chain: Link[] = [];
  const problems: PlatestreamError[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      chain.push(await loadLink(entry, builtIn, baseFolder, `stages[${index}] (${entry.use})`, met));
    } catch (thrown) {
      problems.push(PlatestreamError.from(thrown));
    }
  }
  if (problems.length > 1) {
    const messages = problems.map(({ rawMessage }) => rawMessage);
    throw new PlatestreamError("invalid-config", listProblems("the stages cannot be used:", messages));
  }
  if (problems.length === 1) throw problems[0];
  checkPorts(chain);
  return chain;
};

/** Finds one stage and parses its options; `where` names the place in errors. */
export const loadLink = async (
  { use, options }: StageEntry,
  builtIn: Readonly<Record<string, AnyStage>>,
  baseFolder: string,
  where: string,
  met: readonly Condition[] = [],
): Promise<Link> => {
  const parsed = ({ config, conditions }: AnyStage): unknown =>
    parse(config, Object.assign({}, options, ...met.map((condition) => conditions?.[condition])), where);
  const known = builtIn[use];
  if (known !== undefined) return { stage: known, options: parsed(known), use };
  const stage = await loadPlugin(use, baseFolder, Object.keys(builtIn));
  const source = await sourceDigest(use, pluginFile(use, baseFolder));
  return { stage, options: parsed(stage), use, source };
};

/** Those of the conditions that no stage of the chain can meet. */
export const unmetConditions = (chain: Chain, wanted: readonly Condition[]): readonly Condition[] =>
  wanted.filter((condition) => !chain.some(({ stage }) => stage.conditions?.[condition] !== undefined));

/** The plugins of a chain with digests of their sources, for whoever must know whether they are still the same. */
export const pluginsOf = (chain: Chain): string[] => chain.flatMap(({ source }) => source ?? []);

/** Throws the first error of a stage that cannot run these experiments with these networks. */
export const checkChain = (
  chain: Chain,
  experiments: readonly Pick<Experiment, "id" | "cellType">[],
  models: readonly ModelInfo[],
): void => {
  for (const { stage, options } of chain) stage.check?.(options, experiments, models);
};

/** Those of the networks that the stages can use. */
export const usableModels = (chain: Chain, models: readonly ModelInfo[]): readonly ModelInfo[] =>
  models.filter((model) => {
    const { cellType } = model;
    try {
      checkChain(chain, [{ id: `any of ${cellType}`, cellType }], [model]);
      return true;
    } catch {
      return false;
    }
  });

const checkPorts = (chain: Chain): void => {
  const problems: string[] = [];
  const first = chain[0]!.stage;
  if (first.input !== "site") {
    problems.push(`the first stage must take "site", but "${first.name}" takes "${first.input}"`);
  }
  for (const [index, { stage }] of chain.entries()) {
    const next = chain[index + 1]?.stage;
    if (next !== undefined && next.input !== stage.output) {
      problems.push(`"${stage.name}" gives "${stage.output}", but "${next.name}" after it takes "${next.input}"`);
    }
  }
  const last = chain.at(-1)!.stage;
  if (last.output !== "call")
    problems.push(`the last stage must give "call", but "${last.name}" gives "${last.output}"`);
  if (problems.length > 0) {
    throw new PlatestreamError("invalid-config", listProblems("the stages do not fit together:", problems));
  }
};
