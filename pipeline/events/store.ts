/** Where events are kept: on the server of a bus, or in a file of a run. */
import { PlatestreamError } from "../../common/errors.ts";
import type { BusEvent, EventFilter, Numbered } from "./event.ts";

export interface FollowOptions {
  /** Sequence number to go on after; 0: from the start. */
  readonly after: number;
  /** End when what is stored by now was read. */
  readonly storedOnly?: boolean;
  readonly signal: AbortSignal;
}

/** To go on after a number that was never given is to miss what comes: the store was begun anew. */
export const noSuchEvent = (after: number, last: number): PlatestreamError =>
  new PlatestreamError(
    "invalid-request",
    `the last event here has number ${last}, so nothing can come after ${after}: were the events lost or begun anew? ` +
      "Read from the start, or from now on",
  );

/** Who has seen events of a store that was deleted would take others of the same numbers for seen. */
export const begunAnew = (after: number): PlatestreamError =>
  new PlatestreamError(
    "invalid-request",
    `the events were deleted and begun anew, and numbers up to ${after} are given again: read from the start, or from now on`,
  );

export interface EventStore {
  /**
   * Keeps an event, unless one of this `id` was appended just now. With `once` it is stored at most once ever: calls are, and
   * that an experiment is done.
   */
  append(event: BusEvent, options: { readonly id: string; readonly once?: boolean }): Promise<void>;
  /**
   * Events that fit, in the order of their sequence numbers, until aborted or until there will be no more. Whoever goes on
   * after the last number that it has seen misses nothing and sees nothing twice; a number beyond the last one is refused
   * as "invalid-request". What a slow reader has not read stays
   * in the store; a few hundred events at most wait in memory.
   */
  follow(filter: EventFilter, options: FollowOptions): AsyncGenerator<Numbered>;
  /** Number of the last event, 0 without any: to follow after it is to follow from now on. */
  last(): Promise<number>;
}
