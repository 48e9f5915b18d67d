/** Runs one experiment through the built-in chain, as `pipeline start` does, and forgets the calls. */

import { parseRunConfig, withSettings } from "../pipeline/config.ts";
import { runExperiment } from "../pipeline/run/experiment.ts";
import { buildChain } from "../pipeline/stage/chain.ts";
import type { Workers } from "../pipeline/workers/workers.ts";
import type { Experiment } from "../screen/experiment.ts";
import { stages, usualChain } from "../stages/built-in.ts";

/** Returns seconds. */
export const runChain = async (
  experiment: Experiment,
  workers: Workers,
  settings: readonly string[] = [],
): Promise<number> => {
  const config = parseRunConfig({ data: "bench" }, "bench", usualChain);
  const chain = await buildChain(withSettings(config.stages, settings), stages, ".");
  const started = performance.now();
  const { images, leftOut } = await runExperiment({
    experiment,
    chain,
    workers,
    memoryBytes: (config.memoryMiB * 2 ** 20) / config.concurrentExperiments,
    attempt: 1,
    signal: new AbortController().signal,
    onStatus: () => undefined,
  });
  if (images !== experiment.sites.length) throw new Error(`${leftOut.length} sites were left out`);
  return (performance.now() - started) / 1000;
};

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
