/** Asynchronous mapping with a bound on what runs at a time. An error of `map` is an error of the stream. */
import { from, mergeMap, Observable, type OperatorFunction } from "rxjs";

/** Emits results as they come. */
export const mapUnordered = <A, B>(concurrency: number, map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  mergeMap((item) => from(map(item)), concurrency);

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
