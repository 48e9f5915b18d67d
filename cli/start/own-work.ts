/** The work of a run without a bus: the chosen experiments of one dataset, to their end. */
import { resolve } from "node:path";
import { openDataset } from "../../datasets/open.ts";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import { openFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher, publishThenStore } from "../../pipeline/events/publish.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import { checkChain, pluginsOf, usableModels } from "../../pipeline/stage/chain.ts";
import { channelOrder } from "../../screen/channels.ts";
import { choose } from "../parts/choose-experiments.ts";
import { tellNotes } from "../parts/open-dataset.ts";
import { openWorkers } from "../parts/open-workers.ts";
import { adaptationOf } from "./adapting.ts";
import type { NodeParts, Work } from "./node-parts.ts";
import { openRunView } from "./run-view.ts";
import { openResultsService } from "./serve-results.ts";

/** How long subscribers may take to read the rest when a run is over. */
const readTheRestMs = 5_000;

export const openOwnWork = async (parts: NodeParts): Promise<Work> => {
  const { options, config, chain, security, operations, onStatus, opened } = parts;
  const dataset = await openDataset(config.data, config);
  tellNotes(dataset);
  const experiments = choose(dataset, config.experiments);
  const workers = await openWorkers(config, onStatus, security, undefined, operations);
  opened.add(workers.close);
  const models = await workers.models();
  checkChain(chain, experiments, models);
  const channels = { names: dataset.channels, chosen: config.channels !== undefined };
  for (const network of usableModels(chain, models)) {
    if (experiments.some(({ cellType }) => cellType === network.cellType))
      channelOrder(channels, network, dataset.root);
  }

  const out = resolve(config.out);
  const damaged = (detail: string) => onStatus({ type: "damage", detail });
  const results = await openRunFolder(out, {
    config: { ...config, models, plugins: pluginsOf(chain), adapted: adaptationOf(config) },
    fresh: options.fresh ?? false,
    onDamage: ({ experiment, reason }) => damaged(`${reason}; ${experiment} is called again`),
  });
  opened.add(results.close);
  const takenOver = experiments.map(({ id }) => id).filter((id) => results.done().has(id));
  await results.checkInputs(takenOver, dataset.load);
  let lost = false;
  const events = await openFileEvents(resolve(out, "events.jsonl"), {
    published: results.done(),
    onDamage(what) {
      lost = true;
      damaged(`${what}; all calls are published again`);
    },
  });
  opened.add(events.close);
  const service = await openResultsService(options, events, (detail) => onStatus({ type: "results-service", detail }));
  opened.add(() => service.close(0));
  const say = (detail: string) => onStatus({ type: "plate-map", detail });
  const plates = await openRunView(options, { dir: results.dir, events, dataset, experiments }, say);
  opened.add(plates.close);
  parts.follow(plates.next);
  const cellTypes = new Map(experiments.map(({ id, cellType }) => [id, cellType]));
  const publisher = openEventPublisher(events, parts.node, (id) => cellTypes.get(id)!);
  parts.follow(publisher.next);
  if (lost) for (const id of results.done()) await publisher.publishStored(await results.read(id));
  const bus = await openEmbeddedBus({ path: resolve(out, "bus.json"), done: results.done(), onDamage: damaged });
  opened.add(() => bus.close());
  operations.watch(async () => bus.unsettled());

  await bus.submit(experiments.map(({ id, cellType }) => ({ id, cellType, data: dataset.root })));
  onStatus({ type: "run-started", experiments, done: [...results.done()] });
  return {
    bus,
    workers,
    load: ({ id }) => dataset.load(id),
    store: publishThenStore(results, publisher),
    results,
    concurrentExperiments: Math.min(config.concurrentExperiments, experiments.length),
    requeues: 0,
    async settle() {
      await publisher.settled();
      events.end();
      await service.close(readTheRestMs);
    },
    linger: plates.stay,
  };
};
