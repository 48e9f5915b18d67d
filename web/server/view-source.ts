/** Where the plate map gets a screen from: a run's folder, a run in this process, a bus, a results service. */
import type { BusEvent } from "../../pipeline/events/event.ts";
import type { ReportedExperiment } from "../../pipeline/results/report.ts";
import type { Experiment } from "../../screen/experiment.ts";
import type { ScreenState } from "./screen-state.ts";

/** The dataset that an experiment was read from; a reader of any layout fits. */
export interface ScreenFiles {
  /** Names of the channels, in the order of a site's images. */
  readonly channels: readonly string[];
  readonly experiments: readonly { readonly id: string }[];
  load(experiment: string): Promise<Experiment>;
}

export interface ViewSource {
  /** In words, for the head of the page. */
  readonly name: string;
  /** Absent: no pictures, and wells appear when they are called. */
  readonly files?: ScreenFiles | undefined;
  /** What is kept of a finished experiment; absent where only its events can be had. */
  readonly reported?: (experiment: string) => Promise<ReportedExperiment | undefined>;
  /** Writes into the state what there is and what comes, until aborted. */
  follow(state: ScreenState, signal: AbortSignal): Promise<void>;
}

/** Puts events into the state: before them the wells that the dataset lists, after them the results that are kept. */
export const takeEvents = (
  { files, reported }: Pick<ViewSource, "files" | "reported">,
  state: ScreenState,
): { list(experiment: string): Promise<void>; take(event: BusEvent): Promise<void> } => {
  const inFiles = new Set(files?.experiments.map(({ id }) => id));
  const listed = new Set<string>();
  const list = async (experiment: string): Promise<void> => {
    if (!inFiles.has(experiment) || listed.has(experiment)) return;
    listed.add(experiment);
    state.list(await files!.load(experiment));
  };
  const take = async (event: BusEvent): Promise<void> => {
    const { experiment } = event;
    await list(experiment);
    state.event(event);
    if (event.kind !== "state" || event.state !== "done") return;
    const report = await reported?.(experiment);
    if (report !== undefined) state.report(report);
  };
  return { list, take };
};
