/** Learns something from the first items of every domain before any of them goes on. */

import { Observable, type OperatorFunction } from "rxjs";
import { PlatestreamError } from "../../common/errors.ts";
import { byteSize } from "../../common/quantities.ts";
import type { SiteImage } from "../../screen/site-image.ts";
import type { Context } from "./stage.ts";

export interface Sampling<T, S> {
  /** The stage's own: a sample that does not fit into half of the memory is refused with its first item. */
  readonly context: Pick<Context, "memory" | "experiment">;
  /** What the item belongs to: a plate, an experiment. */
  readonly domain: (item: T) => string;
  /** How much the item adds to the sample. */
  readonly weight: (item: T) => number;
  /** How much weight makes a sample. A domain that ends earlier is sampled with what it has. */
  readonly enough: number;
  /** Called once per domain, with its first items. */
  readonly learn: (sample: readonly T[], domain: string) => Promise<S>;
}

interface Domain<T, S> {
  readonly held: T[];
  weight: number;
  state: { readonly kind: "sampling" } | { readonly kind: "learning" } | { readonly kind: "learnt"; readonly value: S };
}

/**
 * Holds the items of a domain until there are enough to learn from, then emits them and all later ones together with
 * what was learnt. Domains arrive one after the other: when another begins, those before it are complete and are not
 * waited for any longer; an item that comes late all the same is given what its domain has learnt.
 */
export const learnFromSample =
  <T, S>({
    context,
    domain,
    weight,
    enough,
    learn,
  }: Sampling<T, S>): OperatorFunction<T, readonly [item: T, learnt: S]> =>
  (source) =>
    new Observable((subscriber) => {
      const domains = new Map<string, Domain<T, S>>();
      let current: string | undefined;
      let sourceDone = false;
      let learning = 0;

      const finish = () => {
        if (sourceDone && learning === 0) subscriber.complete();
      };
      const begin = (name: string) => {
        const entry = domains.get(name)!;
        if (entry.state.kind !== "sampling") return;
        entry.state = { kind: "learning" };
        learning += 1;
        learn([...entry.held], name).then(
          (value) => {
            entry.state = { kind: "learnt", value };
            for (const item of entry.held.splice(0)) subscriber.next([item, value]);
            learning -= 1;
            finish();
          },
          (error) => subscriber.error(error),
        );
      };

      const take = (item: T) => {
        const name = domain(item);
        if (current !== undefined && current !== name) begin(current);
        current = name;
        let entry = domains.get(name);
        if (entry === undefined) {
          entry = { held: [], weight: 0, state: { kind: "sampling" } };
          domains.set(name, entry);
        }
        if (entry.state.kind === "learnt") return subscriber.next([item, entry.state.value]);
        const added = weight(item);
        requireRoom(item, added, enough, context);
        entry.held.push(item);
        entry.weight += added;
        if (entry.weight >= enough) begin(name);
      };

      return source.subscribe({
        next: (item) => {
          try {
            take(item);
          } catch (error) {
            subscriber.error(error);
          }
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          sourceDone = true;
          if (current !== undefined) begin(current);
          finish();
        },
      });
    });

/** Items of a domain are held until there are enough of them: if memory ended before, the run would wait for ever. */
const requireRoom = (
  item: unknown,
  weight: number,
  enough: number,
  { memory, experiment }: Sampling<unknown, unknown>["context"],
): void => {
  const images = imagesOf(item);
  if (images.length === 0 || weight <= 0) return;
  const bytes = images.reduce((sum, { lease }) => sum + lease.bytes, 0);
  const wanted = Math.min((bytes * enough) / weight, (bytes / images.length) * experiment.sites.length);
  if (wanted <= memory.capacity / 2) return;
  throw new PlatestreamError(
    "too-large",
    `learning from ${Math.min(enough, experiment.sites.length)} images takes ${byteSize(wanted)}, more than half of ` +
      `the ${byteSize(memory.capacity)} that an experiment's pixels may take; raise memoryMiB or use a smaller sample`,
  );
};

/** The images that an item holds: itself, or those of a batch. */
const imagesOf = (item: unknown): readonly SiteImage[] => {
  const { lease, images } = (item ?? {}) as { readonly lease?: unknown; readonly images?: unknown };
  if (lease !== undefined) return [item as SiteImage];
  return Array.isArray(images) ? (images as SiteImage[]).filter((image) => image.lease !== undefined) : [];
};
