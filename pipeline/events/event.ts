/** What happened, as a stream that anybody may follow: every call, and every change of an experiment's state. */
import type { WellRow } from "../results/report.ts";
import type { Call } from "../stage/items.ts";

export interface About {
  readonly experiment: string;
  readonly cellType: string;
  /** Node that published it; empty for a submission. */
  readonly node: string;
  /** ISO 8601 */
  readonly at: string;
}

/** The call of one well. Each is published once, however often its experiment was run. */
export interface CallEvent extends About {
  readonly kind: "call";
  readonly plate: string;
  readonly well: string;
  readonly treatment: string;
  readonly probability: number;
  /** Probability that the call is right, where the run gives one. */
  readonly confidence?: number;
  readonly margin: number;
  readonly alternatives: Call["alternatives"];
  readonly strategy: string;
  readonly flags: readonly string[];
  readonly model: string;
  readonly statistics: string;
}

export type StateEvent = About & { readonly kind: "state" } & (
    | { readonly state: "queued" }
    | { readonly state: "running"; readonly attempt: number }
    | { readonly state: "waiting"; readonly attempt: number; readonly reason: string }
    | { readonly state: "done"; readonly attempts: number; readonly calls: number; readonly seconds: number }
    | { readonly state: "failed"; readonly attempts: number; readonly reason: string }
  );

export type BusEvent = CallEvent | StateEvent;

/** Sequence numbers grow from 1; within a filter there are gaps. */
export interface Numbered {
  readonly seq: number;
  readonly value: BusEvent;
}

export const kinds = ["call", "state"] as const;

/** What is left out or empty may be anything. Only calls have a plate. */
export interface EventFilter {
  readonly kinds?: readonly BusEvent["kind"][];
  readonly cellTypes?: readonly string[];
  readonly experiments?: readonly string[];
  readonly plates?: readonly string[];
}

const holds = (list: readonly string[] | undefined, value: string | undefined): boolean =>
  list === undefined || list.length === 0 || (value !== undefined && list.includes(value));

export const fits = ({ kinds, cellTypes, experiments, plates }: EventFilter, event: BusEvent): boolean =>
  holds(kinds, event.kind) &&
  holds(cellTypes, event.cellType) &&
  holds(experiments, event.experiment) &&
  holds(plates, event.kind === "call" ? event.plate : undefined);

/** The event of a well that has a call. */
export const callEvent = (
  { plate, well, flags }: WellRow,
  {
    treatment,
    probability,
    confidence,
    margin,
    alternatives,
    strategy,
    model,
    statistics,
  }: NonNullable<WellRow["call"]>,
  about: About,
): CallEvent => ({
  kind: "call",
  ...about,
  plate,
  well,
  treatment,
  probability,
  ...(confidence === undefined ? {} : { confidence }),
  margin,
  alternatives,
  strategy,
  flags,
  model: `${model.name} ${model.version}`,
  statistics,
});
