/** A store of events: of the run in this process, or of a bus. */
import type { EventStore } from "../../../pipeline/events/store.ts";
import type { Status } from "../../../pipeline/run/status.ts";
import { openProgress } from "../progress.ts";
import type { ScreenState } from "../screen-state.ts";
import { takeEvents, type ViewSource } from "../view-source.ts";

export interface StoreSourceOptions extends Pick<ViewSource, "name" | "files" | "reported"> {
  readonly events: Pick<EventStore, "follow">;
  /** Shown before anything has happened to them. */
  readonly experiments?: readonly string[];
  /** What is asked every other second: nodes, workers, how far they are. */
  readonly look?: (state: ScreenState) => Promise<void>;
}

const lookMs = 2_000;

export const openStoreSource = ({ events, experiments = [], look, ...source }: StoreSourceOptions): ViewSource => ({
  ...source,
  async follow(state, signal) {
    const { list, take } = takeEvents(source, state);
    // A bus that does not answer now is asked again; the connection says by itself that it is lost.
    const ask = () => void look?.(state).catch(() => undefined);
    const timer = setInterval(ask, lookMs);
    ask();
    try {
      for (const experiment of experiments) await list(experiment);
      for await (const { value } of events.follow({}, { after: 0, signal })) await take(value);
      if (!signal.aborted) state.activity({ nodes: [], workers: [], ended: true });
    } finally {
      clearInterval(timer);
    }
  },
});

/** The run in this process: with how far every experiment is, which subscribers do not get. */
export const openLiveSource = (
  options: Omit<StoreSourceOptions, "look">,
): ViewSource & { next(status: Status): void } => {
  const progress = openProgress();
  const source = openStoreSource(options);
  return {
    ...source,
    next: progress.next,
    follow(state, signal) {
      progress.show(state);
      return source.follow(state, signal);
    },
  };
};
