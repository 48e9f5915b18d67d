/** What runs right now, redrawn a few times a second: a bar per plate, speed, time left, and the workers. */
import { createLogUpdate } from "log-update";
import type { Status } from "../../pipeline/run/status.ts";

const redrawMs = 250;
/** Speeds are means over this many seconds. */
const windowSeconds = 20;
const barWidth = 24;

export interface LiveView {
  next(status: Status): void;
  /** Writes a line that stays, above the view. */
  persist(line: string): void;
  close(): void;
}

interface Running {
  readonly attempt: number;
  readonly plates: Map<string, { readonly sites: number; done: number }>;
  readonly speed: Speed;
  leftOut: number;
}

export const liveView = (stream: NodeJS.WritableStream): LiveView => {
  const log = createLogUpdate(stream);
  const sitesOf = new Map<string, number>();
  const running = new Map<string, Running>();
  const adapting = new Map<string, Extract<Status, { type: "adapting" }>>();
  const workers = new Map<string, Extract<Status, { type: "worker" }>>();
  const total = { experiments: 0, done: 0, failed: 0, sitesSettled: 0, speed: speedometer() };

  const settle = (experiment: string) => {
    running.delete(experiment);
    total.sitesSettled += sitesOf.get(experiment) ?? 0;
  };
  const next = (status: Status): void => {
    switch (status.type) {
      case "run-started": {
        const already = new Set(status.done);
        for (const { id, sites } of status.experiments) {
          sitesOf.set(id, sites);
          total.experiments += 1;
          if (already.has(id)) {
            total.done += 1;
            total.sitesSettled += sites;
          }
        }
        return;
      }
      case "adapting":
        adapting.set(status.experiment, status);
        return;
      case "experiment-running": {
        adapting.delete(status.experiment);
        const plates = status.plates.map(({ plate, sites }) => [plate, { sites, done: 0 }] as const);
        running.set(status.experiment, {
          attempt: status.attempt,
          plates: new Map(plates),
          speed: speedometer(),
          leftOut: 0,
        });
        return;
      }
      case "site-done": {
        const entry = running.get(status.experiment);
        const plate = entry?.plates.get(status.plate);
        if (entry === undefined || plate === undefined) return;
        plate.done += 1;
        entry.speed.add();
        total.speed.add();
        return;
      }
      case "left-out": {
        const entry = running.get(status.experiment);
        if (entry !== undefined) entry.leftOut += 1;
        return;
      }
      case "experiment-waiting":
        adapting.delete(status.experiment);
        running.delete(status.experiment);
        return;
      case "experiment-done":
        total.done += 1;
        settle(status.report.experiment);
        return;
      case "experiment-failed":
        total.failed += 1;
        adapting.delete(status.failure.experiment);
        settle(status.failure.experiment);
        return;
      case "worker":
        workers.set(status.address, status);
        return;
    }
  };

  const draw = () => {
    const underWay = [...running.values()].reduce((sum, entry) => sum + progressOf(entry).done, 0);
    const sites = [...sitesOf.values()].reduce((sum, each) => sum + each, 0);
    const head = [
      `${total.done} of ${total.experiments} experiments`,
      ...(total.failed > 0 ? [`${total.failed} failed`] : []),
      ...pace(total.speed, sites - total.sitesSettled - underWay),
    ];
    log(
      [
        head.join("  "),
        ...[...adapting.values()].map(
          ({ experiment, share, detail }) => `${experiment}  adapts  ${bar({ done: share, sites: 1 })}  ${detail}`,
        ),
        ...[...running].flatMap(([experiment, entry]) => experimentLines(experiment, entry)),
        ...[...workers.values()].map(
          ({ address, state, detail }) => `worker ${address} ${state}  ${detail.split("\n")[0]}`,
        ),
      ].join("\n"),
    );
  };
  const timer = setInterval(draw, redrawMs);
  timer.unref();
  return {
    next,
    persist: (line) => log.persist(line),
    close() {
      clearInterval(timer);
      log.clear();
      log.done();
    },
  };
};

const experimentLines = (experiment: string, entry: Running): string[] => {
  const { done, sites } = progressOf(entry);
  const facts = [
    ...pace(entry.speed, sites - done),
    ...(entry.attempt > 1 ? [`attempt ${entry.attempt}`] : []),
    ...(entry.leftOut > 0 ? [`${entry.leftOut} left out`] : []),
  ];
  return [
    [experiment, `${done} of ${sites} sites`, ...facts].join("  "),
    ...[...entry.plates].map(([plate, each]) => `  plate ${plate}  ${bar(each)}  ${each.done}/${each.sites}`),
  ];
};

const progressOf = ({ plates }: Running): { done: number; sites: number } => {
  const each = [...plates.values()];
  return {
    done: each.reduce((sum, { done }) => sum + done, 0),
    sites: each.reduce((sum, { sites }) => sum + sites, 0),
  };
};

const bar = ({ done, sites }: { done: number; sites: number }): string => {
  const full = sites === 0 ? barWidth : Math.floor((barWidth * Math.min(done, sites)) / sites);
  return "█".repeat(full) + "░".repeat(barWidth - full);
};

const pace = (speed: Speed, left: number): string[] => {
  const perSecond = speed.perSecond();
  if (perSecond === 0) return [];
  return [formatRate(perSecond), ...(left > 0 ? [`${formatDuration(left / perSecond)} left`] : [])];
};

interface Speed {
  add(): void;
  perSecond(): number;
}

/** Counts per second of the clock, over the last few of them. */
const speedometer = (): Speed => {
  const started = Date.now();
  const counts = new Map<number, number>();
  return {
    add() {
      const second = Math.floor(Date.now() / 1000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
      for (const old of counts.keys()) if (old < second - windowSeconds) counts.delete(old);
    },
    perSecond() {
      const now = Date.now();
      const from = Math.floor(now / 1000) - windowSeconds;
      const recent = [...counts].reduce((sum, [second, count]) => (second >= from ? sum + count : sum), 0);
      return recent / Math.max(1, Math.min(windowSeconds, (now - started) / 1000));
    },
  };
};

/** `48 s`, `3 min 20 s`, `2 h 5 min`. */
export const formatDuration = (seconds: number): string => {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};

/** Three digits are all that a reader wants. */
export const formatRate = (perSecond: number, what = "images"): string =>
  `${perSecond >= 100 ? Math.round(perSecond) : Number(perSecond.toPrecision(2))} ${what}/s`;
