/** A node's numbers: events are counted, what it holds is read when somebody asks. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Metrics } from "../../common/observe/metrics.ts";
import type { PixelMemory } from "../run/pixel-memory.ts";
import type { Status } from "../run/status.ts";

export interface NodeNow {
  /** Of the experiments that run. */
  readonly memories: ReadonlySet<Pick<PixelMemory, "used" | "waiting">>;
  /** Bytes that they may take together. */
  readonly memoryBytes: number;
  /** Experiments of the bus that are not settled, by cell type. */
  unsettled(): Promise<ReadonlyMap<string, number>>;
  /** Undefined: it does its work. */
  notReady(): string | undefined;
}

/** A bus that does not answer must not hold up the other numbers. */
const soon = (unsettled: Promise<ReadonlyMap<string, number>>): Promise<ReadonlyMap<string, number>> =>
  Promise.race([unsettled.catch(() => new Map()), sleep(1_000, new Map(), { ref: false })]);

/** Registers all metrics; the result takes the events of the run. */
export const nodeMetrics = (metrics: Metrics, now: NodeNow): ((status: Status) => void) => {
  const experiments = metrics.counter("platestream_experiments_total", "Attempts that ended here, by outcome", [
    "outcome",
  ]);
  for (const outcome of ["done", "waiting", "failed"]) experiments({ outcome }, 0);
  const failures = metrics.counter("platestream_failures_total", "Attempts that failed, by code and stage", [
    "code",
    "stage",
    "outcome",
  ]);
  const sitesDone = metrics.counter("platestream_sites_done_total", "Sites predicted or left out", []);
  const leftOut = metrics.counter("platestream_sites_left_out_total", "Sites that went no further, by stage", [
    "stage",
  ]);
  const wells = metrics.counter("platestream_wells_called_total", "Wells called, controls included", []);

  const running = new Set<string>();
  const workers = new Map<string, number>();
  let bus = 1;
  const one = (value: number) => [[{}, value] as const];
  const sum = (of: "used" | "waiting") => [...now.memories].reduce((total, memory) => total + memory[of], 0);
  const gauge = (name: string, help: string, read: () => number) => metrics.gauge(name, help, [], () => one(read()));
  gauge("platestream_experiments_running", "Experiments that run here", () => running.size);
  gauge("platestream_pixel_bytes", "Bytes that decoded pixels take", () => sum("used"));
  gauge("platestream_pixel_bytes_limit", "Bytes that decoded pixels may take", () => now.memoryBytes);
  gauge("platestream_pixel_waiting", "Images that wait for memory", () => sum("waiting"));
  gauge("platestream_bus_connected", "1: the bus answers, 0: it is lost", () => bus);
  gauge("platestream_ready", "1: it does its work, 0: not; /readyz says why", () =>
    Number(now.notReady() === undefined),
  );
  metrics.gauge("platestream_worker_ready", "1: the worker is asked, 0: it is lost", ["worker"], () =>
    [...workers].map(([worker, ready]) => [{ worker }, ready] as const),
  );
  metrics.gauge(
    "platestream_queue_experiments",
    "Experiments of the bus that are not settled, those in hand included",
    ["cell_type"],
    async () => [...(await soon(now.unsettled()))].map(([cell_type, count]) => [{ cell_type }, count] as const),
  );

  return (status) => {
    switch (status.type) {
      case "experiment-running":
        running.add(status.experiment);
        return;
      case "site-done":
        return sitesDone({});
      case "left-out":
        return leftOut({ stage: status.leftOut.stage });
      case "experiment-done":
        running.delete(status.report.experiment);
        wells({}, status.report.called);
        return experiments({ outcome: "done" });
      case "experiment-waiting":
        running.delete(status.experiment);
        failures({ code: status.code ?? "", stage: status.stage ?? "", outcome: "waiting" });
        return experiments({ outcome: "waiting" });
      case "experiment-failed":
        running.delete(status.failure.experiment);
        failures({ code: status.failure.code, stage: status.stage ?? "", outcome: "failed" });
        return experiments({ outcome: "failed" });
      case "worker":
        workers.set(status.address, Number(status.state === "ready"));
        return;
      case "bus":
        bus = Number(status.state === "ready");
        return;
    }
  };
};
