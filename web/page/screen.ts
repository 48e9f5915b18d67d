/** The screen as the page holds it: loaded once, then kept up to date by the stream of changes. */
import { fromColumns } from "../columns.ts";
import type { About, Activity, Change, ExperimentRow, Snapshot, WellRow } from "../protocol.ts";
import { ask, askJson, Refused } from "./server.ts";

export type Connection = "connecting" | "live" | "lost" | "token";

export interface Screen {
  readonly about: About;
  readonly experiments: ReadonlyMap<string, ExperimentRow>;
  /** Of one experiment, by `plate`, then `well`. */
  wellsOf(experiment: string): readonly WellRow[];
  well(experiment: string, plate: string, well: string): WellRow | undefined;
  readonly wells: ReadonlyMap<string, WellRow>;
  readonly activity: Activity;
  readonly connection: Connection;
  /** Grows with every change: what is derived from rows is made again. */
  readonly version: number;
}

const againMs = 1_000;

export const keyOf = (experiment: string, plate: string, well: string): string => `${experiment}\n${plate}\n${well}`;

/** Keeps the screen up to date for as long as the page is open, and calls `changed` once per picture of the browser. */
export const followScreen = (
  changed: (screen: Screen | undefined, connection: Connection) => void,
): { retry(): void } => {
  const experiments = new Map<string, ExperimentRow>();
  const wells = new Map<string, WellRow>();
  const byExperiment = new Map<string, Map<string, WellRow>>();
  let sorted = new Map<string, readonly WellRow[]>();
  let about: About | undefined;
  let activity: Activity = { nodes: [], workers: [], ended: false };
  let connection: Connection = "connecting";
  let seq = 0;
  let version = 0;
  let drawing = false;
  let wake: (() => void) | undefined;

  const draw = (): void => {
    version += 1;
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      changed(
        about && {
          about,
          experiments,
          wells,
          activity,
          connection,
          version,
          well: (experiment, plate, well) => wells.get(keyOf(experiment, plate, well)),
          wellsOf(experiment) {
            const there = sorted.get(experiment);
            if (there !== undefined) return there;
            const rows = [...(byExperiment.get(experiment)?.values() ?? [])].sort(byPlace);
            sorted.set(experiment, rows);
            return rows;
          },
        },
        connection,
      );
    });
  };
  const put = (row: WellRow): void => {
    const key = keyOf(row.experiment, row.plate, row.well);
    wells.set(key, row);
    let own = byExperiment.get(row.experiment);
    if (own === undefined) {
      own = new Map();
      byExperiment.set(row.experiment, own);
    }
    own.set(key, row);
    sorted.delete(row.experiment);
  };
  const apply = (change: Change): void => {
    for (const row of change.experiments) experiments.set(row.id, row);
    for (const row of change.wells) put(row);
    if (change.activity !== undefined) activity = change.activity;
    seq = change.seq;
    draw();
  };
  const load = async (): Promise<void> => {
    about = await askJson<About>("about");
    const snapshot = await askJson<Snapshot>("screen");
    experiments.clear();
    wells.clear();
    byExperiment.clear();
    sorted = new Map();
    for (const row of snapshot.experiments) experiments.set(row.id, row);
    for (const row of fromColumns(snapshot.wells)) put(row);
    ({ activity, seq } = snapshot);
  };
  const connect = (to: Connection): void => {
    connection = to;
    draw();
  };

  const run = async (): Promise<never> => {
    for (;;) {
      try {
        const now = await askJson<About>("about");
        if (about?.epoch !== now.epoch) await load();
        connect("live");
        await readChanges(await ask("changes", { after: seq, epoch: about!.epoch }), apply);
        connect("lost");
      } catch (error) {
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
          connect("token");
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        connect("lost");
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  };
  void run();
  return { retry: () => wake?.() };
};

const collator = new Intl.Collator("en", { numeric: true });

/** Row Z stands before row AA. */
const byPlace = (a: WellRow, b: WellRow): number =>
  (a.plate === b.plate ? 0 : collator.compare(a.plate, b.plate)) ||
  a.well.length - b.well.length ||
  (a.well < b.well ? -1 : a.well > b.well ? 1 : 0);

/** Nothing for so long: the connection is gone, although nobody said so. */
const silentMs = 25_000;

const readChanges = async (response: Response, apply: (change: Change) => void): Promise<void> => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await within(silentMs, reader.read()).catch((error) => {
      reader.cancel().catch(() => undefined);
      throw error;
    });
    if (done) return;
    rest += value;
    const messages = rest.split("\n\n");
    rest = messages.pop()!;
    for (const message of messages) {
      const data = message.split("\n").find((line) => line.startsWith("data: "));
      if (data !== undefined) apply(JSON.parse(data.slice(6)) as Change);
    }
  }
};

const within = <T>(ms: number, work: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the server is silent")), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
