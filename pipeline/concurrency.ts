/** Asynchronous mapping with a bound on what runs at a time. An error of `map` is an error of the stream. */
import { Observable, type OperatorFunction } from "rxjs";

/** Emits results as they come. A bound that changes is asked for whenever an item comes or is done. */
export const mapUnordered =
  <A, B>(concurrency: number | (() => number), map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  (source) =>
    new Observable((subscriber) => {
      const bound = typeof concurrency === "number" ? () => concurrency : concurrency;
      const waiting: A[] = [];
      let running = 0;
      let sourceDone = false;

      const start = () => {
        while (waiting.length > 0 && running < bound() && !subscriber.closed) {
          running += 1;
          attempt(map, waiting.shift()!).then(
            (value) => {
              running -= 1;
              subscriber.next(value);
              start();
            },
            (error) => subscriber.error(error),
          );
        }
        if (sourceDone && running === 0 && waiting.length === 0) subscriber.complete();
      };

      return source.subscribe({
        next: (item) => {
          waiting.push(item);
          start();
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          sourceDone = true;
          start();
        },
      });
    });

/** Emits results in the order of the items; at most `concurrency` items are started and not yet emitted. */
export const mapOrdered =
  <A, B>(concurrency: number, map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  (source) =>
    new Observable((subscriber) => {
      const waiting: A[] = [];
      const started: { result?: { readonly value: B } }[] = [];
      let sourceDone = false;

      const start = () => {
        while (started.length < concurrency && waiting.length > 0 && !subscriber.closed) {
          const slot: { result?: { readonly value: B } } = {};
          started.push(slot);
          attempt(map, waiting.shift()!).then(
            (value) => {
              slot.result = { value };
              emit();
            },
            (error) => subscriber.error(error),
          );
        }
        if (sourceDone && started.length === 0 && waiting.length === 0) subscriber.complete();
      };
      const emit = () => {
        while (started[0]?.result !== undefined) subscriber.next(started.shift()!.result!.value);
        start();
      };

      return source.subscribe({
        next: (item) => {
          waiting.push(item);
          start();
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          sourceDone = true;
          start();
        },
      });
    });

const attempt = async <A, B>(map: (item: A) => Promise<B>, item: A): Promise<B> => map(item);
