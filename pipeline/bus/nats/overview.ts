/** What a bus holds, for people who look at it. */
import type { WorkerEntry } from "../../workers/directory.ts";
import { retryUntilAnswered } from "./connection.ts";
import type { NodeState, RunningExperiment } from "./nodes.ts";
import type { NatsBusParts } from "./open.ts";
import type { ExperimentRecord, ExperimentState } from "./records.ts";
import { findDamage } from "./repair.ts";

export interface RunningOn extends RunningExperiment {
  /** Undefined: its node is gone, and it goes to another one soon. */
  readonly node: string | undefined;
}

export interface Overview {
  readonly server: string;
  readonly counts: Readonly<Record<ExperimentState, number>>;
  readonly experiments: readonly ExperimentRecord[];
  readonly running: readonly RunningOn[];
  readonly nodes: readonly NodeState[];
  readonly workers: readonly WorkerEntry[];
  /** Cell types with experiments that wait, and no node that takes them. */
  readonly withoutNode: readonly string[];
  /** What the server has lost, a sentence each. */
  readonly damage: readonly string[];
  /** Servers that keep every event; 1: a lost disk loses them. */
  readonly replicas: number;
}

const collator = new Intl.Collator("en", { numeric: true });

export const overview = async (parts: NatsBusParts): Promise<Overview> => {
  const { server, records, nodes: bucket } = parts;
  const experiments = [...(await records.all())].sort((a, b) => collator.compare(a.id, b.id));
  const nodes = [...(await bucket.all())].sort((a, b) => collator.compare(a.node, b.node));
  const workers = [...(await parts.workers.all())].sort((a, b) => collator.compare(a.address, b.address));
  const counts = { queued: 0, running: 0, waiting: 0, done: 0, failed: 0 };
  for (const { state } of experiments) counts[state] += 1;

  const running = experiments.flatMap(({ id, state, attempts, node }): RunningOn[] => {
    if (state !== "running") return [];
    const there = nodes.find((each) => each.node === node);
    const progress = there?.running.find(({ experiment }) => experiment === id);
    return [{ experiment: id, attempt: attempts, sites: 0, sitesDone: 0, ...progress, node: there?.node }];
  });
  const open = experiments.filter(({ state }) => state === "queued" || state === "waiting");
  const withoutNode = [...new Set(open.map(({ cellType }) => cellType))].filter(
    (cellType) => !nodes.some(({ cellTypes }) => cellTypes.includes(cellType)),
  );
  const damage = await findDamage(parts, experiments);
  const { manager, names } = parts.streams;
  const { config } = await retryUntilAnswered(parts.nc, () => manager.streams.info(names.events));
  return {
    server,
    counts,
    experiments,
    running,
    nodes,
    workers,
    withoutNode,
    damage,
    replicas: config.num_replicas,
  };
};
