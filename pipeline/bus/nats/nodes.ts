/** Nodes announce themselves: who is there, what each runs and how far it is. */
import { hostname } from "node:os";
import type { Status } from "../../run/status.ts";
import type { Bucket } from "./buckets.ts";

export interface RunningExperiment {
  readonly experiment: string;
  readonly attempt: number;
  readonly sites: number;
  readonly sitesDone: number;
}

export interface NodeState {
  readonly node: string;
  readonly host: string;
  readonly pid: number;
  readonly cellTypes: readonly string[];
  /** ISO 8601 */
  readonly since: string;
  readonly running: readonly RunningExperiment[];
  /** Takes no new work. */
  readonly draining: boolean;
}

const heartbeatMs = 3_000;

export interface Presence {
  next(status: Status): void;
  /** Leaves. */
  close(): Promise<void>;
}

/** Keeps the node's entry up to date until it is closed. */
export const announceNode = (nodes: Bucket<NodeState>, node: string, cellTypes: () => readonly string[]): Presence => {
  const running = new Map<string, RunningExperiment>();
  const since = new Date().toISOString();
  let draining = false;
  let announcing: Promise<void> | undefined;

  const announce = () => {
    const state = {
      node,
      host: hostname(),
      pid: process.pid,
      cellTypes: cellTypes(),
      since,
      running: [...running.values()],
      draining,
    };
    announcing ??= nodes
      .put(node, state)
      .catch(() => undefined) // the connection was closed by its owner
      .finally(() => {
        announcing = undefined;
      });
  };
  const timer = setInterval(announce, heartbeatMs);
  announce();

  return {
    next(status) {
      switch (status.type) {
        case "experiment-running": {
          const { experiment, attempt, plates } = status;
          const sites = plates.reduce((sum, plate) => sum + plate.sites, 0);
          running.set(experiment, { experiment, attempt, sites, sitesDone: 0 });
          return announce();
        }
        case "site-done": {
          const entry = running.get(status.experiment);
          if (entry !== undefined) running.set(status.experiment, { ...entry, sitesDone: entry.sitesDone + 1 });
          return;
        }
        case "experiment-done":
          running.delete(status.report.experiment);
          return announce();
        case "experiment-waiting":
          running.delete(status.experiment);
          return announce();
        case "experiment-failed":
          running.delete(status.failure.experiment);
          return announce();
        case "draining":
          draining = true;
          return announce();
      }
    },
    async close() {
      clearInterval(timer);
      await announcing;
      await nodes.remove(node).catch(() => undefined);
    },
  };
};
