/** What `pipeline start` does: puts a node together, runs it here to its end, and sums up. */
import { runNode } from "../../pipeline/run/node.ts";
import type { Workers } from "../../pipeline/workers/workers.ts";
import { ladderTable } from "../evaluate/ladder-table.ts";
import { openAdapting } from "./adapting.ts";
import { openBusWork } from "./bus-work.ts";
import { scoreDemo } from "./demo.ts";
import { openNodeParts } from "./node-parts.ts";
import { openOwnWork } from "./own-work.ts";
import { readConfig, type StartOptions } from "./read-config.ts";
import { renderSummary } from "./summary.ts";

/**
 * Returns the exit code: 0 all called, 1 experiments failed, 130 interrupted. For a node of a bus, leaving on Ctrl-C or
 * SIGTERM is the ordinary end.
 */
export const startRun = async (options: StartOptions): Promise<number> => {
  const resolved = await readConfig(options);
  const parts = await openNodeParts(options, resolved);
  const { chain, config, memoryBytes, operations, interrupts, onStatus, progress, opened } = parts;
  const { drain, signal } = interrupts;
  const { bus: url, json = false } = options;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1_000;
  try {
    const adapt = await openAdapting(parts);
    const work = await (url === undefined ? openOwnWork(parts) : openBusWork(parts, url));
    const { bus, workers, load, store, results, concurrentExperiments, requeues } = work;
    await runNode({
      bus,
      chain,
      workers,
      ...(adapt === undefined ? {} : { adapt }),
      results: store,
      load,
      memoryBytes,
      memories: operations.memories,
      concurrentExperiments,
      attempts: config.attempts,
      requeues,
      backOffMs: 2_000,
      drain,
      signal,
      onStatus,
    });
    onStatus({ type: "run-done", seconds: seconds() });
    await work.settle();
    progress.close();
    const summary = await results.finish({ seconds: seconds() });
    const interrupted = url === undefined && (drain.aborted || signal.aborted);
    if (url === undefined || results.done().size > 0) process.stdout.write(renderSummary(summary, { json }));
    if (resolved.demo && !interrupted) await scoreRungs(workers, AbortSignal.any([drain, signal]), json);
    if (!interrupted) {
      interrupts.close();
      await work.linger();
    }
    return interrupted ? 130 : summary.failedNow.length > 0 ? 1 : 0;
  } finally {
    await opened.close();
  }
};

const scoreRungs = async (workers: Workers, signal: AbortSignal, json: boolean): Promise<void> => {
  const ladder = await scoreDemo(workers, signal);
  process.stdout.write(json ? `${JSON.stringify({ type: "ladder", ...ladder })}\n` : ladderTable(ladder));
};
