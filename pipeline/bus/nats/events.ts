/** Events on the server: one stream, one subject per well that was called and per state of an experiment. */
import { PlatestreamError } from "../../../common/errors.ts";
import { type BusEvent, type EventFilter, fits } from "../../events/event.ts";
import { type EventStore, noSuchEvent } from "../../events/store.ts";
import { retryUntilAnswered } from "./connection.ts";
import type { Names } from "./names.ts";
import type { NatsBusParts } from "./open.ts";

/** Events that the stream counts and cannot give. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof PlatestreamError && error.code === "invalid-data";

export const natsEvents = ({ nc, streams }: NatsBusParts): EventStore => {
  const { names, manager } = streams;
  const last = async () => (await retryUntilAnswered(nc, () => manager.streams.info(names.events))).state.last_seq;
  return {
    async append(event, { id, once = false }) {
      await streams.publish(subjectOf(event, names), event, { id, only: once });
    },
    async *follow(filter, { after, storedOnly = false, signal }) {
      const lastNow = await last();
      if (after > lastNow) throw noSuchEvent(after, lastNow);
      const subject = names.eventsOf(oneOfEach(filter));
      const about = { subject, after, signal, ...(storedOnly ? { upTo: lastNow } : {}) };
      for await (const event of streams.follow<BusEvent>(names.events, about))
        if (fits(filter, event.value)) yield event;
    },
    last,
  };
};

const subjectOf = (event: BusEvent, { event: subject }: Names): string =>
  event.kind === "call"
    ? subject("call", event.cellType, event.experiment, event.plate, event.well)
    : subject("state", event.cellType, event.experiment, event.state);

/** Servers before 2.10 take one subject as a filter: lists of several values are looked at here. */
const oneOfEach = ({ kinds, cellTypes, experiments, plates }: EventFilter) => {
  const only = (list: readonly string[] = []) => (list.length === 1 ? list[0] : undefined);
  const calls = (plates ?? []).length > 0 ? "call" : undefined;
  return {
    kind: only(kinds) ?? calls,
    cellType: only(cellTypes),
    experiment: only(experiments),
    plate: only(plates),
  };
};
