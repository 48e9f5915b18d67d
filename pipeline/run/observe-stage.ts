/** Looks at a stage from outside: names the culprit of an error, and reports a stage that does not end. */
import { catchError, finalize, Observable, tap, throwError } from "rxjs";
import { PlatestreamError } from "../../common/errors.ts";
import { enter, labelled } from "../../common/observe/watchdog.ts";
import { ownFrames } from "../../common/stack.ts";
import type { Lease, SiteImage } from "../../screen/site-image.ts";
import type { Link } from "../stage/chain.ts";
import { itemProblem } from "../stage/check-item.ts";
import type { AnyStage, Context } from "../stage/stage.ts";
import { onBehalfOf } from "./escapes.ts";

/** How long a stage may take to complete after its input, before it is named as the one that is waited for. */
const patienceMs = 120_000;

/** How far the items of an experiment have come: the stage furthest down that has got one. */
export interface Reach {
  stages: number;
  position: number;
  stage: string;
}

export const startOfReach = (): Reach => ({ stages: 0, position: 0, stage: "" });

/** Whoever holds the items is waited for, not the stage that has no memory left to make more of them. */
const waitsFor = (stage: string, reach: Reach): string => {
  const late = `stage ${stage} has not completed ${patienceMs / 1000} s after its last item`;
  return stage === reach.stage || reach.stage === ""
    ? late
    : `${late}: stage ${reach.stage} has taken items and not given them on`;
};

const named = new WeakSet<PlatestreamError>();

/** Runs one stage on `items`; what it throws names plugin, stage, experiment and the last item that went in. */
export const observeStage = (
  items: Observable<unknown>,
  link: Link,
  context: Context,
  reach = startOfReach(),
): Observable<unknown> => {
  const position = ++reach.stages;
  let last: unknown;
  let watch: NodeJS.Timeout | undefined;
  const { stage, options } = link;
  const label = labelOf(link);

  const fail = (thrown: unknown) => {
    const error = PlatestreamError.from(thrown, "plugin-failed");
    if (named.has(error) || error.code === "cancelled") return error;
    const item = last === undefined ? "" : `, item ${nameItem(last)}`;
    const plugin = link.use === stage.name ? "" : ` of plugin ${link.use}${placeOf(thrown)}`;
    const located = error.at(`stage ${stage.name}${plugin}, experiment ${context.experiment.id}${item}`, stage.name);
    named.add(located);
    return located;
  };

  const heldBy = new WeakMap<Lease, { readonly seen: WeakSet<ArrayBufferLike>; bytes: number }>();
  const checkOutput = (item: unknown) => {
    const problem = itemProblem(stage.output, item);
    if (problem !== undefined) throw new PlatestreamError("plugin-failed", problem);
    if (stage.output === "site-image") account(item as SiteImage);
  };
  /** Images that share a lease may have pixels of their own, and new pixels may be larger than those that they replace. */
  const account = ({ lease, pixels }: SiteImage) => {
    const held = heldBy.get(lease) ?? { seen: new WeakSet(), bytes: 0 };
    heldBy.set(lease, held);
    if (held.seen.has(pixels.buffer)) return;
    held.seen.add(pixels.buffer);
    held.bytes += pixels.byteLength;
    if (held.bytes > lease.bytes) context.memory.account(lease, held.bytes);
  };

  return new Observable((given) => {
    const inStage = <T>(work: () => T): T => {
      const leave = enter(label);
      try {
        return onBehalfOf(fail, work);
      } finally {
        leave();
      }
    };
    const entering = new Observable((taken) =>
      items.subscribe({
        next: (item) => {
          last = item;
          if (position >= reach.position) Object.assign(reach, { position, stage: stage.name });
          inStage(() => taken.next(item));
        },
        error: (error) => taken.error(error),
        complete: () => {
          watch = setTimeout(() => context.note(waitsFor(stage.name, reach)), patienceMs);
          watch.unref();
          inStage(() => taken.complete());
        },
      }),
    );
    return inStage(() =>
      applyStage(entering, link, options, context, fail)
        .pipe(
          tap(checkOutput),
          catchError((thrown) => throwError(() => fail(thrown))),
          finalize(() => clearTimeout(watch)),
        )
        .subscribe(given),
    );
  });
};

/** ` (file:line:column)` of the code that threw: the first place in its stack that is not a library's. */
const placeOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error) || thrown instanceof PlatestreamError) return "";
  const [place] = ownFrames(thrown);
  return place === undefined ? "" : ` (${place.replace(/^.*\(|\)$|^at |file:\/\//g, "")})`;
};

const labels = new WeakMap<AnyStage, number>();

const labelOf = ({ stage, use }: Link): number => {
  const known =
    labels.get(stage) ?? labelled(use === stage.name ? `stage ${use}` : `stage ${stage.name} of plugin ${use}`);
  labels.set(stage, known);
  return known;
};

const applyStage = (
  items: Observable<unknown>,
  { stage }: Link,
  options: unknown,
  context: Context,
  fail: (thrown: unknown) => PlatestreamError,
): Observable<unknown> => {
  try {
    return (stage.apply(options, context) as (input: Observable<unknown>) => Observable<unknown>)(items);
  } catch (thrown) {
    return throwError(() => fail(thrown));
  }
};

interface Named {
  readonly site?: Named | number;
  readonly images?: readonly Named[];
  readonly domain?: string;
  readonly experiment?: string;
  readonly plate?: string;
  readonly well?: string;
}

/** `HUVEC-01 plate 3 B05 site 2` for whatever flows: sites, images, batches, predictions. */
const nameItem = (item: unknown): string => {
  const { site, domain, plate, well } = (item ?? {}) as Named;
  if (typeof site === "object") return nameItem(site);
  if (domain !== undefined) return `batch of ${domain}`;
  return `plate ${plate} well ${well}${typeof site === "number" ? ` site ${site}` : ""}`;
};
