/** Asynchronous mapping with a bound on what runs at a time. An error of `map` is an error of the stream. */
import { Observable, type OperatorFunction } from "rxjs";

/** Emits results as they come. A bound that changes is asked for whenever an item comes or is done. */
export const mapUnordered = <A, B>(
  concurrency: number | (() => number),
  map: (item: A) => Promise<B>,
): OperatorFunction<A, B> =>
  mapAsync(typeof concurrency === "number" ? () => concurrency : concurrency, map, (started, slot) =>
    started.splice(started.indexOf(slot), 1),
  );

/** Emits results in the order of the items; at most `concurrency` items are started and not yet emitted. */
export const mapOrdered = <A, B>(concurrency: number, map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  mapAsync(
    () => concurrency,
    map,
    (started) => {
      const unfinished = started.findIndex(({ result }) => result === undefined);
      return started.splice(0, unfinished < 0 ? started.length : unfinished);
    },
  );

/** An item that was started, with its result once that is there. */
interface Slot<B> {
  result?: { readonly value: B };
}

/** `take` gets every slot that has got its result, and takes those that may be emitted out of the started ones. */
const mapAsync =
  <A, B>(
    bound: () => number,
    map: (item: A) => Promise<B>,
    take: (started: Slot<B>[], slot: Slot<B>) => Slot<B>[],
  ): OperatorFunction<A, B> =>
  (source) =>
    new Observable((subscriber) => {
      const waiting: A[] = [];
      const started: Slot<B>[] = [];
      let sourceDone = false;

      const start = () => {
        while (waiting.length > 0 && started.length < bound() && !subscriber.closed) {
          const slot: Slot<B> = {};
          started.push(slot);
          attempt(map, waiting.shift()!).then(
            (value) => {
              slot.result = { value };
              for (const { result } of take(started, slot)) subscriber.next(result!.value);
              start();
            },
            (error) => subscriber.error(error),
          );
        }
        if (sourceDone && started.length === 0 && waiting.length === 0) subscriber.complete();
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
