/** Everything that the page shows of a screen, held in memory and kept up to date from the results as they come. */
import type { BusEvent } from "../../pipeline/events/event.ts";
import type { ReportedExperiment } from "../../pipeline/results/report.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { toColumns } from "../columns.ts";
import type { Activity, Change, ExperimentRow, Snapshot, WellRow } from "../protocol.ts";

type Numbered<T> = T & { readonly seq: number };
type Progress = Pick<ExperimentRow, "progress" | "imagesPerSecond" | "secondsLeft" | "node">;

export interface ScreenState {
  /** Number of the newest change. */
  readonly seq: number;
  snapshot(epoch: string): Snapshot;
  /** What has changed after a number. */
  changes(after: number): Change;
  /** Calls `changed` after every change, until the returned function is called. */
  watch(changed: () => void): () => void;
  /** Wells and plates as the dataset has them, before anything is called. */
  list(experiment: Experiment): void;
  /** A call or a change of state. */
  event(event: BusEvent): void;
  /** What the results folder keeps of a finished experiment: more than its events say. */
  report(reported: ReportedExperiment): void;
  progress(experiment: string, progress: Progress): void;
  activity(activity: Activity): void;
  well(experiment: string, plate: string, well: string): WellRow | undefined;
  /** Experiments that are done. */
  done(): readonly string[];
}

export const wellKey = (experiment: string, plate: string, well: string): string =>
  JSON.stringify([experiment, plate, well]);

export const openScreenState = (): ScreenState => {
  const experiments = new Map<string, Numbered<ExperimentRow>>();
  const wells = new Map<string, Numbered<WellRow>>();
  const watchers = new Set<() => void>();
  let activity: Numbered<Activity> = { nodes: [], workers: [], ended: false, seq: 0 };
  let seq = 0;

  const changed = (): void => {
    for (const watcher of watchers) watcher();
  };
  const setExperiment = (id: string, cellType: string, change: Partial<ExperimentRow>): void => {
    seq += 1;
    const before = experiments.get(id) ?? blank(id, cellType);
    experiments.set(id, { ...before, ...change, seq });
  };
  const setWell = (row: WellRow): void => {
    seq += 1;
    wells.set(wellKey(row.experiment, row.plate, row.well), { ...row, seq });
  };
  const count = (id: string): Pick<ExperimentRow, "wells" | "called" | "plates"> => {
    const rows = [...wells.values()].filter(({ experiment }) => experiment === id);
    return {
      wells: rows.length,
      called: rows.filter(({ call }) => call !== undefined).length,
      plates: [...new Set(rows.map(({ plate }) => plate))],
    };
  };

  return {
    get seq() {
      return seq;
    },
    snapshot: (epoch) => ({
      epoch,
      seq,
      experiments: [...experiments.values()].map(withoutSeq),
      wells: toColumns([...wells.values()]),
      activity: withoutSeq(activity),
    }),
    changes: (after) => ({
      seq,
      experiments: [...experiments.values()].filter((row) => row.seq > after).map(withoutSeq),
      wells: [...wells.values()].filter((row) => row.seq > after).map(withoutSeq),
      ...(activity.seq > after ? { activity: withoutSeq(activity) } : {}),
    }),
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    list({ id, cellType, sites }) {
      for (const { plate, well, wellType, treatment, metadata } of sites) {
        if (wells.has(wellKey(id, plate, well))) continue;
        setWell({
          experiment: id,
          plate,
          well,
          wellType,
          ...(treatment === undefined ? {} : { treatment }),
          flags: [],
          reasons: [],
          metadata: numbersAsNumbers(metadata),
        });
      }
      setExperiment(id, cellType, count(id));
      changed();
    },
    event(event) {
      const { experiment, cellType, node } = event;
      if (event.kind === "call") {
        const { plate, well, treatment: call, flags, ...rest } = event;
        const before = wells.get(wellKey(experiment, plate, well));
        const row = before ?? unlisted(experiment, plate, well, flags);
        const { probability, confidence, margin, strategy } = rest;
        const about = { probability, margin, strategy, ...(confidence === undefined ? {} : { confidence }) };
        setWell({ ...row, ...about, call, flags });
        const there = experiments.get(experiment);
        const plates = there?.plates ?? [];
        setExperiment(experiment, cellType, {
          node,
          called: (there?.called ?? 0) + (before?.call === undefined ? 1 : 0),
          wells: (there?.wells ?? 0) + (before === undefined ? 1 : 0),
          plates: plates.includes(plate) ? plates : [...plates, plate],
        });
      } else setExperiment(experiment, cellType, stateOf(event));
      changed();
    },
    report({ report, wells: rows }) {
      for (const { plate, well, wellType, treatment, call, flags, reasons, metadata } of rows) {
        const before = wells.get(wellKey(report.experiment, plate, well));
        setWell({
          ...(before ?? {}),
          experiment: report.experiment,
          plate,
          well,
          wellType,
          ...(treatment === undefined ? {} : { treatment }),
          ...(call === undefined ? {} : calledIn(call)),
          flags,
          reasons,
          metadata: numbersAsNumbers(metadata),
        });
      }
      const { seconds, imagesPerSecond, notes, attempts } = report;
      const done = { state: "done", seconds, imagesPerSecond, notes, attempts } as const;
      setExperiment(report.experiment, report.cellType, { ...done, ...count(report.experiment), ...through });
      changed();
    },
    progress(id, progress) {
      const before = experiments.get(id);
      if (before === undefined || before.state === "done") return;
      setExperiment(id, before.cellType, progress);
      changed();
    },
    activity(now) {
      if (JSON.stringify(now) === JSON.stringify(withoutSeq(activity))) return;
      seq += 1;
      activity = { ...now, seq };
      changed();
    },
    well(experiment, plate, well) {
      return wells.get(wellKey(experiment, plate, well));
    },
    done: () => [...experiments.values()].filter((row) => row.state === "done").map(({ id }) => id),
  };
};

/** Nothing is left to wait for. */
const through = { secondsLeft: 0 } as const;

const blank = (id: string, cellType: string): ExperimentRow => ({
  id,
  cellType,
  plates: [],
  state: "listed",
  attempts: 0,
  wells: 0,
  called: 0,
  notes: [],
});

/** A well that no dataset was read for: all that is known of it is its call. */
const unlisted = (experiment: string, plate: string, well: string, flags: readonly string[]): WellRow => ({
  experiment,
  plate,
  well,
  wellType: flags.includes("control") ? "control" : "treatment",
  flags,
  reasons: [],
  metadata: {},
});

const calledIn = (call: NonNullable<ReportedExperiment["wells"][number]["call"]>) => {
  const { treatment, probability, confidence, margin, plateGroup, strategy, byStrategy } = call;
  return {
    call: treatment,
    probability,
    margin,
    strategy,
    byStrategy: { [strategy]: treatment, ...byStrategy },
    ...(plateGroup === undefined ? {} : { plateGroup }),
    ...(confidence === undefined ? {} : { confidence }),
  };
};

const stateOf = (event: Extract<BusEvent, { kind: "state" }>): Partial<ExperimentRow> => {
  const { node } = event;
  switch (event.state) {
    case "queued":
      return { state: "queued" };
    case "running":
      return { state: "running", attempts: event.attempt, node };
    case "waiting":
      return { state: "waiting", attempts: event.attempt, reason: event.reason, node };
    case "done":
      return { state: "done", attempts: event.attempts, seconds: event.seconds, node, ...through };
    case "failed":
      return { state: "failed", attempts: event.attempts, reason: event.reason, node };
  }
};

/** A table's text that is a number is coloured as one. */
const numbersAsNumbers = (metadata: Readonly<Record<string, unknown>>): Record<string, string | number> =>
  Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => {
      const text = String(value);
      return [name, text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text];
    }),
  );

const withoutSeq = <T extends { readonly seq: number }>({ seq: _, ...row }: T): Omit<T, "seq"> => row;
