/** Looks at a stage from outside: names the culprit of an error, and tells of a stage that does not end. */
import { catchError, finalize, Observable, throwError } from "rxjs";
import { PlatestreamError } from "../../common/errors.ts";
import type { Link } from "../stage/chain.ts";
import type { Context } from "../stage/stage.ts";
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
    : `${late}: stage ${reach.stage} has taken items and not let them go`;
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

  const fail = (thrown: unknown) => {
    const error = PlatestreamError.from(thrown, "plugin-failed");
    if (named.has(error) || error.code === "cancelled") return error;
    const item = last === undefined ? "" : `, item ${nameItem(last)}`;
    const plugin = link.use === stage.name ? "" : ` of plugin ${link.use}`;
    const located = error.at(`stage ${stage.name}${plugin}, experiment ${context.experiment.id}${item}`, stage.name);
    named.add(located);
    return located;
  };

  return new Observable((given) => {
    const inStage = <T>(work: () => T): T => onBehalfOf(fail, work);
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
          catchError((thrown) => throwError(() => fail(thrown))),
          finalize(() => clearTimeout(watch)),
        )
        .subscribe(given),
    );
  });
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
