/** How far the experiments of a run in this process are. */
import type { Status } from "../../pipeline/run/status.ts";
import type { WorkerRow } from "../protocol.ts";
import type { ScreenState } from "./screen-state.ts";

interface Running {
  readonly startedAt: number;
  readonly of: number;
  sites: number;
}

/** Often enough to see it move, seldom enough to cost nothing. */
const showMs = 500;

export const openProgress = () => {
  const running = new Map<string, Running>();
  const workers = new Map<string, WorkerRow>();
  const changed = new Set<string>();
  let state: ScreenState | undefined;
  let waiting = false;

  const show = (): void => {
    waiting = false;
    for (const id of changed) {
      const { startedAt, of, sites } = running.get(id) ?? { startedAt: 0, of: 0, sites: 0 };
      if (of === 0) continue;
      const imagesPerSecond = sites / Math.max(0.001, (performance.now() - startedAt) / 1000);
      state?.progress(id, {
        progress: { sites, of },
        ...(sites > 0 ? { imagesPerSecond, secondsLeft: (of - sites) / imagesPerSecond } : {}),
      });
    }
    changed.clear();
    state?.activity({ nodes: [], workers: [...workers.values()], ended: false });
  };
  const soon = (): void => {
    if (waiting) return;
    waiting = true;
    setTimeout(show, showMs).unref();
  };

  return {
    /** From now on progress is shown in this state. */
    show(screen: ScreenState): void {
      state = screen;
      soon();
    },
    next(status: Status): void {
      switch (status.type) {
        case "experiment-running": {
          const of = status.plates.reduce((sum, { sites }) => sum + sites, 0);
          running.set(status.experiment, { startedAt: performance.now(), of, sites: 0 });
          break;
        }
        case "site-done": {
          const entry = running.get(status.experiment);
          if (entry === undefined) return;
          entry.sites += 1;
          changed.add(status.experiment);
          break;
        }
        case "worker": {
          const { address, state: now, detail } = status;
          if (now === "lost") workers.delete(address);
          else workers.set(address, { address, host: "", provider: detail, models: [], load: 0 });
          break;
        }
        default:
          return;
      }
      soon();
    },
  };
};
