import { concatMap, from, mergeMap, type OperatorFunction } from "rxjs";
export const mapUnordered = <A, B>(concurrency: number, map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  mergeMap((item) => from(map(item)), concurrency);
export const mapOrdered = <A, B>(_concurrency: number, map: (item: A) => Promise<B>): OperatorFunction<A, B> =>
  concatMap((item) => from(map(item)));
