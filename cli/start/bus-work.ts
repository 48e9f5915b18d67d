/** The work of a node, one of many that share the experiments of a bus. */
import type { ModelInfo } from "../../common/model-info.ts";
import type { Bus } from "../../pipeline/bus/bus.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { announceNode } from "../../pipeline/bus/nats/nodes.ts";
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { callAgain, restoreCalls, restoreHeld } from "../../pipeline/bus/nats/repair.ts";
import { readBusSecurity } from "../../pipeline/bus/nats/security.ts";
import { type EventPublisher, openEventPublisher, publishThenStore } from "../../pipeline/events/publish.ts";
import { openRunFolder, type RunFolder } from "../../pipeline/results/run-folder.ts";
import type { ResultStore } from "../../pipeline/run/node.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { pluginsOf, usableModels } from "../../pipeline/stage/chain.ts";
import { openDataRoots } from "../parts/data-roots.ts";
import { openWorkers } from "../parts/open-workers.ts";
import { adaptationOf } from "./adapting.ts";
import type { NodeParts, Work } from "./node-parts.ts";
import { openBusView } from "./run-view.ts";
import { openResultsService } from "./serve-results.ts";

export const openBusWork = async (parts: NodeParts, url: string): Promise<Work> => {
  const { options, config, chain, security, node, operations, onStatus, opened } = parts;
  const load = await openDataRoots(options.dataRoot ?? [], config);
  const nats = await openNats({
    url,
    security: await readBusSecurity(options),
    name: `platestream node ${node}`,
    onConnection: (state, detail) => onStatus({ type: "bus", state, detail }),
    limits: {
      replicas: options.busReplicas,
      ...(options.lostAfter === undefined ? {} : { ackWaitMs: options.lostAfter * 1_000 }),
    },
  });
  opened.add(() => nats.close());
  const damaged: string[] = [];
  const results = await openRunFolder(config.out, {
    config: { ...config, models: [], plugins: pluginsOf(chain), adapted: adaptationOf(config) },
    fresh: options.fresh ?? false,
    onDamage({ experiment, reason }) {
      damaged.push(experiment);
      onStatus({ type: "damage", detail: `${reason}; ${experiment} is called again` });
    },
  });
  opened.add(results.close);
  const accept = (models: readonly ModelInfo[]) => results.accept(usableModels(chain, models));
  const workers = await openWorkers(config, onStatus, security, { directory: nats.workers, accept }, operations);
  opened.add(() => workers.close());
  await accept(await workers.models());
  const cellTypes = () => [...new Set(usableModels(chain, workers.ready()).map(({ cellType }) => cellType))].sort();

  const queue = await openNatsBus(nats, {
    node,
    cellTypes,
    untilEmpty: options.untilEmpty ?? false,
    onFull: () => {},
    onMended: (detail) => onStatus({ type: "damage", detail }),
  });
  opened.add(() => queue.close());
  const cellTypeOf = new Map<string, string>();
  const bus: Bus = {
    ...queue,
    async take(until) {
      const delivery = await queue.take(until);
      if (delivery !== undefined) cellTypeOf.set(delivery.experiment.id, delivery.experiment.cellType);
      return delivery;
    },
  };
  operations.watch(async () => {
    const counts = cellTypes().map(async (each) => [each, await nats.streams.unsettled(each)] as const);
    return new Map(await Promise.all(counts));
  });
  const store = natsEvents(nats);
  const service = await openResultsService(options, store, (detail) => onStatus({ type: "results-service", detail }));
  opened.add(() => service.close(0));
  const plates = await openBusView(options, nats, (detail) => onStatus({ type: "plate-map", detail }));
  opened.add(plates.close);
  const publisher = openEventPublisher(store, node, (experiment) => cellTypeOf.get(experiment)!);
  opened.add(() => publisher.settled());
  const restore = restoring(nats, publisher, results, config.data, onStatus);
  parts.follow(restore.next);
  await restore.now();
  for (const experiment of damaged) await callAgain(nats, experiment);
  const presence = announceNode(nats.nodes, node, cellTypes);
  opened.add(() => presence.close());
  parts.follow(presence.next);
  parts.follow(publisher.next);
  const say = (detail: string) => onStatus({ type: "bus", state: "ready", detail });
  say(nats.server);
  say(`results of node ${node} go to ${results.dir}`);
  parts.follow(sayCellTypes(cellTypes, say));

  return {
    bus,
    workers,
    load,
    store: restore.afterWriting(publishThenStore(results, publisher)),
    results,
    concurrentExperiments: config.concurrentExperiments,
    requeues: config.attempts,
    settle: async () => undefined,
    linger: plates.stay,
  };
};

/** Says at once what the node takes, and again when that has changed with its workers. */
const sayCellTypes = (cellTypes: () => readonly string[], say: (what: string) => void): ((status: Status) => void) => {
  let said: string | undefined;
  const next = () => {
    const now = cellTypes().join(", ");
    if (now === said) return;
    said = now;
    say(now === "" ? "no worker is there: this node takes nothing, and waits for one" : `this node takes ${now}`);
  };
  next();
  return ({ type }) => (type === "worker" ? next() : undefined);
};

/** Gives the bus back what it has lost of this node's results: at the start, and whenever the server was away. */
const restoring = (
  nats: NatsBusParts,
  publisher: EventPublisher,
  results: RunFolder,
  data: string,
  onStatus: (status: Status) => void,
) => {
  const say = (detail: string) => onStatus({ type: "damage", detail });
  const restoreAll = async () => {
    for await (const { report, wells } of results.eachHeld())
      await restoreHeld(nats, publisher, { report, wells, data }, say);
  };
  let restored: Promise<void> = Promise.resolve();
  let lost = false;
  const now = () => {
    restored = restored.then(restoreAll);
    return restored;
  };
  return {
    now,
    /** While an experiment ran, the server may have lost calls of it that it had stored. */
    afterWriting: (store: ResultStore): ResultStore => ({
      ...store,
      async write(result, reported) {
        await store.write(result, reported);
        await restoreCalls(nats, publisher, reported, say);
      },
    }),
    next(status: Status) {
      if (status.type !== "bus") return;
      if (lost && status.state === "ready") now().catch(() => undefined); // the next time it is away, or at the next start
      lost = status.state === "lost";
    },
  };
};
