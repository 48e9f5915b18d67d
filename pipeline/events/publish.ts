/** Publishes what a node does: calls and changes of state. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ReportedExperiment, reportExperiment } from "../results/report.ts";
import type { ExperimentResult } from "../results/result.ts";
import type { RunFolder } from "../results/run-folder.ts";
import type { ResultStore } from "../run/node.ts";
import type { Status } from "../run/status.ts";
import { type About, callEvent, type StateEvent } from "./event.ts";
import type { EventStore } from "./store.ts";

export interface EventPublisher {
  /** Stores all calls of an experiment, then that it is done; what is stored already stays as it is. */
  publishResult(result: ExperimentResult): Promise<void>;
  /** The same for one whose results are in a folder already. */
  publishStored(stored: Pick<ReportedExperiment, "report" | "wells">): Promise<void>;
  /** Stores a change of state; runs on by itself. */
  next(status: Status): void;
  /** Waits for what `next` was given; states for which there is no room are then dropped. */
  settled(): Promise<void>;
}

/** Calls are published once, before the experiment is stored: what is stored was published. */
export const publishThenStore = (
  results: ResultStore & Pick<RunFolder, "read">,
  publisher: EventPublisher,
): ResultStore => ({
  done: results.done,
  fail: results.fail,
  async write(result, reported) {
    await publisher.publishStored(reported);
    await results.write(result, reported);
  },
  // Whoever asks for it again may have lost what was published.
  confirm: async (experiment) => publisher.publishStored(await results.read(experiment)),
});

/** Calls on their way to the store at a time. */
const inFlight = 64;
const lookForRoomMs = 1_000;

/** Cell types of experiments are found with `cellTypeOf`. */
export const openEventPublisher = (
  store: EventStore,
  node: string,
  cellTypeOf: (experiment: string) => string,
): EventPublisher => {
  let publishing: Promise<void> = Promise.resolve();
  let leaving = false;
  const about = (experiment: string): About => ({
    experiment,
    cellType: cellTypeOf(experiment),
    node,
    at: new Date().toISOString(),
  });
  const publishOnceThereIsRoom = async (event: StateEvent): Promise<void> => {
    // An experiment that is queued by every start of a run is queued once.
    const once = event.state === "queued";
    const id = `${event.experiment} ${event.state}${once ? "" : ` ${event.at}`}`;
    for (;;) {
      try {
        return await store.append(event, { id, once });
      } catch (error) {
        if (leaving || !isNoRoom(error)) return;
        await sleep(lookForRoomMs);
      }
    }
  };
  const publishState = (event: StateEvent): void => {
    publishing = publishing.then(() => publishOnceThereIsRoom(event));
  };

  const publisher: EventPublisher = {
    publishResult: (result) => publisher.publishStored(reportExperiment(result)),
    async publishStored({ report: { experiment: id, cellType, called, attempts, seconds }, wells }) {
      const waiting = wells.flatMap((row) => (row.call === undefined ? [] : [[row, row.call] as const]));
      const publishCalls = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const event = callEvent(...next, { ...about(id), cellType });
          await store.append(event, { id: `${id} ${event.plate} ${event.well}`, once: true });
        }
      };
      await publishing;
      await Promise.all(Array.from({ length: inFlight }, publishCalls));
      const done = {
        kind: "state",
        ...about(id),
        cellType,
        state: "done",
        attempts,
        seconds,
        calls: called,
      } as const;
      await store.append(done, { id: `${id} done`, once: true });
    },
    next(status) {
      if (status.type === "run-started") {
        for (const { id, cellType } of status.experiments)
          if (!status.done.includes(id)) publishState({ kind: "state", ...about(id), cellType, state: "queued" });
      }
      if (status.type === "experiment-running") {
        const { experiment, attempt } = status;
        publishState({ kind: "state", ...about(experiment), state: "running", attempt });
      }
      if (status.type === "experiment-waiting") {
        const { experiment, attempt, reason } = status;
        publishState({ kind: "state", ...about(experiment), state: "waiting", attempt, reason });
      }
      if (status.type === "experiment-failed") {
        const { experiment, attempts, reason } = status.failure;
        publishState({ kind: "state", ...about(experiment), state: "failed", attempts, reason });
      }
    },
    async settled() {
      leaving = true;
      await publishing;
    },
  };
  return publisher;
};

const isNoRoom = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
