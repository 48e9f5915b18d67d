/** What `pipeline start` does: puts together dataset, chain, workers, bus and results, and runs them here. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { type Dataset, openDataset } from "../../datasets/open.ts";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import { openFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher, publishThenStore } from "../../pipeline/events/publish.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import { runNode } from "../../pipeline/run/node.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { buildChain, type Chain } from "../../pipeline/stage/chain.ts";
import { stages } from "../../stages/built-in.ts";
import { ladderTable } from "../evaluate/ladder-table.ts";
import { choose } from "../shared/choose-experiments.ts";
import { interruptible } from "../shared/interruptible.ts";
import { tellNotes } from "../shared/open-dataset.ts";
import { openWorkers } from "../shared/open-workers.ts";
import { scoreDemo } from "./demo.ts";
import { openRunOperations } from "./observe-run.ts";
import { renderProgress } from "./progress.ts";
import { readConfig, type StartOptions } from "./read-config.ts";
import { openResultsService } from "./serve-results.ts";
import { renderSummary } from "./summary.ts";

/** How long subscribers may take to read the rest when a run is over. */
const readTheRestMs = 5_000;

/** Returns the exit code: 0 all called, 1 experiments failed, 130 interrupted. */
export const startRun = async (options: StartOptions): Promise<number> => {
  const { config, folder, demo } = await readConfig(options);
  const security = await readClientSecurity(options);
  const chain = await buildChain(config.stages, stages, folder);
  const dataset = await openDataset(config.data, config);
  tellNotes(dataset);
  const experiments = choose(dataset, config.experiments);

  const memoryBytes = config.memoryMiB * 2 ** 20;
  const operations = await openRunOperations({ ...options, logged: false, memoryBytes });
  const mode = options.json
    ? "json"
    : operations.log !== undefined
      ? "silent"
      : process.stderr.isTTY
        ? "live"
        : "quiet";
  const progress = renderProgress(mode, { out: process.stdout, err: process.stderr });
  const followers: ((status: Status) => void)[] = [progress.next, operations.next];
  const onStatus = (status: Status) => {
    for (const follower of followers) follower(status);
  };
  const { drain, signal, close: endInterrupts } = interruptible(onStatus, options.grace * 1_000);
  const started = Date.now();
  const closing: (() => unknown)[] = [endInterrupts, operations.close];
  try {
    const workers = await openWorkers(config, onStatus, security, undefined, operations);
    closing.unshift(workers.close);
    const models = await workers.models();
    checkModels(models, experiments, chain);
    const results = await openRunFolder(resolve(config.out), {
      config: { ...config, models },
      fresh: options.fresh ?? false,
    });
    const events = await openFileEvents(resolve(config.out, "events.jsonl"));
    closing.unshift(events.close);
    const service = await openResultsService(options, events, (detail) =>
      onStatus({ type: "results-service", detail }),
    );
    closing.unshift(() => service.close(0));
    const cellTypes = new Map(experiments.map(({ id, cellType }) => [id, cellType]));
    const publisher = openEventPublisher(
      events,
      options.node ?? `${hostname()}-${process.pid}`,
      (id) => cellTypes.get(id)!,
    );
    followers.push(publisher.next);
    const bus = await openEmbeddedBus(resolve(config.out, "bus.json"));
    operations.watch(async () => bus.unsettled());
    try {
      await bus.submit(experiments.map(({ id, cellType }) => ({ id, cellType, data: dataset.root })));
      onStatus({ type: "run-started", experiments, done: [...results.done()] });
      await runNode({
        bus,
        chain,
        workers,
        results: publishThenStore(results, publisher),
        load: ({ id }) => dataset.load(id),
        memoryBytes,
        memories: operations.memories,
        concurrentExperiments: Math.min(config.concurrentExperiments, experiments.length),
        attempts: config.attempts,
        requeues: 0,
        backOffMs: 2_000,
        drain,
        signal,
        onStatus,
      });
      onStatus({ type: "run-done", seconds: (Date.now() - started) / 1000 });
      await publisher.settled();
      events.end();
      await service.close(readTheRestMs);
    } finally {
      progress.close();
      await bus.close();
    }
    const summary = await results.finish({ seconds: (Date.now() - started) / 1000 });
    process.stdout.write(renderSummary(summary, { json: options.json ?? false }));
    const interrupted = drain.aborted || signal.aborted;
    if (demo && !interrupted) {
      const ladder = await scoreDemo(workers, AbortSignal.any([drain, signal]));
      process.stdout.write(options.json ? `${JSON.stringify({ type: "ladder", ...ladder })}\n` : ladderTable(ladder));
    }
    return interrupted ? 130 : summary.failures.length > 0 ? 1 : 0;
  } finally {
    for (const close of closing) await close();
  }
};

/** Every cell type needs a network before anything starts. */
const checkModels = (models: readonly ModelInfo[], experiments: Dataset["experiments"], chain: Chain): void => {
  const link = chain.find(({ stage }) => stage.name === "infer");
  if (link === undefined) return;
  const { model } = link.options as { model?: string };
  const usable = models.filter(({ name }) => model === undefined || name === model);
  const cellTypes = [...new Set(experiments.map(({ cellType }) => cellType))];
  const missing = cellTypes.filter((cellType) => !usable.some((each) => each.cellType === cellType));
  if (missing.length === 0) return;
  const has = usable.map(({ name, cellType }) => `${cellType} (${name})`).join(", ");
  throw new PlatestreamError(
    "unknown-model",
    listProblems(
      `no network for some cell types; the workers have ${has === "" ? "none" : has}:`,
      missing.map(
        (cellType) =>
          `${cellType}, of ${experiments
            .filter((each) => each.cellType === cellType)
            .map(({ id }) => id)
            .join(", ")}`,
      ),
    ),
  );
};
