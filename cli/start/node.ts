/** What `pipeline start --bus` does: a node, one of many that share the experiments of a bus. */
import { hostname } from "node:os";
import { delimiter, resolve } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { Bus } from "../../pipeline/bus/bus.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { announceNode } from "../../pipeline/bus/nats/nodes.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { readBusSecurity } from "../../pipeline/bus/nats/security.ts";
import { openEventPublisher, publishThenStore } from "../../pipeline/events/publish.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import { runNode } from "../../pipeline/run/node.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { buildChain, type Chain } from "../../pipeline/stage/chain.ts";
import { stages } from "../../stages/built-in.ts";
import { openDataRoots } from "../shared/data-roots.ts";
import { interruptible } from "../shared/interruptible.ts";
import { openWorkers } from "../shared/open-workers.ts";
import { openRunOperations } from "./observe-run.ts";
import { renderProgress } from "./progress.ts";
import { readConfig, type StartOptions } from "./read-config.ts";
import { openResultsService } from "./serve-results.ts";
import { renderSummary } from "./summary.ts";

/** Returns the exit code: 0, or 1 when it gave experiments up. Leaving on Ctrl-C or SIGTERM is a node's ordinary end. */
export const runBusNode = async (options: StartOptions & { readonly bus: string }): Promise<number> => {
  const roots = options.dataRoot ?? [];
  if (roots.length === 0 || options.data !== undefined || options.experiment !== undefined) {
    throw new PlatestreamError(
      "invalid-config",
      "a node takes its experiments from the bus: give it --data-root DIR, which they must lie under, and queue them with `pipeline submit --data DIR`",
    );
  }
  const { config, folder } = await readConfig({ ...options, data: roots.map((root) => resolve(root)).join(delimiter) });
  const security = await readClientSecurity(options);
  const chain = await buildChain(config.stages, stages, folder);
  const { load } = await openDataRoots(roots, config);
  const node = options.node ?? `${hostname()}-${process.pid}`;

  const memoryBytes = config.memoryMiB * 2 ** 20;
  const operations = await openRunOperations({ ...options, logged: true, memoryBytes });
  const progress = renderProgress(options.json ? "json" : "silent", { out: process.stdout, err: process.stderr });
  const followers: ((status: Status) => void)[] = [progress.next, operations.next];
  const onStatus = (status: Status) => {
    for (const follower of followers) follower(status);
  };
  const { drain, signal, close: endInterrupts } = interruptible(onStatus, options.grace * 1_000);
  const started = Date.now();
  const closing: (() => unknown)[] = [endInterrupts, progress.close, operations.close];
  try {
    const parts = await openNats({
      url: options.bus,
      security: await readBusSecurity(options),
      name: `platestream node ${node}`,
      onConnection: (state, detail) => onStatus({ type: "bus", state, detail }),
      ...(options.lostAfter === undefined ? {} : { limits: { ackWaitMs: options.lostAfter * 1_000 } }),
    });
    closing.unshift(() => parts.close());
    const results = await openRunFolder(config.out, {
      config: { ...config, models: [] },
      fresh: options.fresh ?? false,
    });
    let finished = false;
    closing.unshift(() => finished || results.close());
    const accept = (models: readonly ModelInfo[]) => results.accept(usable(models, chain));
    const workers = await openWorkers(config, onStatus, security, { directory: parts.workers, accept }, operations);
    closing.unshift(() => workers.close());
    await accept(await workers.models());
    const cellTypes = () => [...new Set(usable(workers.ready(), chain).map(({ cellType }) => cellType))].sort();

    const cellTypeOf = new Map<string, string>();
    const queue = await openNatsBus(parts, {
      node,
      cellTypes,
      untilEmpty: options.untilEmpty ?? false,
      onFull: () => {},
    });
    closing.unshift(() => queue.close());
    const bus: Bus = {
      ...queue,
      async take(until) {
        const delivery = await queue.take(until);
        if (delivery !== undefined) cellTypeOf.set(delivery.experiment.id, delivery.experiment.cellType);
        return delivery;
      },
    };
    operations.watch(async () => {
      const counts = cellTypes().map(async (each) => [each, await parts.streams.unsettled(each)] as const);
      return new Map(await Promise.all(counts));
    });
    const store = natsEvents(parts);
    const service = await openResultsService(options, store, (detail) => onStatus({ type: "results-service", detail }));
    closing.unshift(() => service.close(0));
    const events = openEventPublisher(store, node, (experiment) => cellTypeOf.get(experiment)!);
    const presence = announceNode(parts.nodes, node, cellTypes);
    closing.unshift(
      () => presence.close(),
      () => events.settled(),
    );
    followers.push(presence.next, events.next);
    onStatus({ type: "bus", state: "ready", detail: parts.server });
    onStatus({ type: "bus", state: "ready", detail: `results of node ${node} go to ${results.dir}` });
    followers.push(tellCellTypes(cellTypes, (detail) => onStatus({ type: "bus", state: "ready", detail })));

    await runNode({
      bus,
      chain,
      workers,
      results: publishThenStore(results, events),
      load,
      memoryBytes,
      memories: operations.memories,
      concurrentExperiments: config.concurrentExperiments,
      attempts: config.attempts,
      requeues: config.attempts,
      backOffMs: 2_000,
      drain,
      signal,
      onStatus,
    });
    const seconds = (Date.now() - started) / 1000;
    onStatus({ type: "run-done", seconds });
    const summary = await results.finish({ seconds });
    finished = true;
    if (results.done().size > 0) process.stdout.write(renderSummary(summary, { json: options.json ?? false }));
    return summary.failures.length > 0 ? 1 : 0;
  } finally {
    for (const close of closing) await close();
  }
};

/** Networks that `infer` may use. */
const usable = (models: readonly ModelInfo[], chain: Chain): readonly ModelInfo[] => {
  const { model } = (chain.find(({ stage }) => stage.name === "infer")?.options ?? {}) as { model?: string };
  return models.filter(({ name }) => model === undefined || name === model);
};

/** Says at once what the node takes, and again when that has changed with its workers. */
const tellCellTypes = (
  cellTypes: () => readonly string[],
  tell: (what: string) => void,
): ((status: Status) => void) => {
  let told: string | undefined;
  const next = () => {
    const now = cellTypes().join(", ");
    if (now === told) return;
    told = now;
    tell(now === "" ? "no worker is there: this node takes nothing, and waits for one" : `this node takes ${now}`);
  };
  next();
  return ({ type }) => (type === "worker" ? next() : undefined);
};
