/** Whether a node is ready, from the events of its run. */
import type { Status } from "../run/status.ts";

export interface Readiness {
  next(status: Status): void;
  /** Undefined: it is ready. */
  reason(): string | undefined;
}

/** Ready: some worker is, the bus is not lost, and it is not leaving. */
export const readiness = (): Readiness => {
  const workers = new Set<string>();
  let lostBus: string | undefined;
  let leaving: string | undefined;
  return {
    next(status) {
      switch (status.type) {
        case "worker":
          if (status.state === "ready") workers.add(status.address);
          else workers.delete(status.address);
          return;
        case "bus":
          lostBus = status.state === "lost" ? `the bus is lost: ${status.detail}` : undefined;
          return;
        case "draining":
          leaving = status.reason;
          return;
      }
    },
    reason: () => leaving ?? lostBus ?? (workers.size === 0 ? "no worker is ready" : undefined),
  };
};
