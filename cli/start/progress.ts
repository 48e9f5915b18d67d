/** The events of a run on a terminal, in a log, or for a machine. */
import type { ExperimentReport } from "../../pipeline/results/report.ts";
import type { LeftOut } from "../../pipeline/results/result.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { formatDuration, formatRate, liveView } from "../terminal/live-view.ts";

/**
 * `live`: a view that follows the run; `quiet`: a line per finished experiment; `json`: every event, a line each;
 * `silent`: nothing, because log lines say it.
 */
export type ProgressMode = "live" | "quiet" | "json" | "silent";

export interface Streams {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
}

export interface Progress {
  next(status: Status): void;
  /** Takes the live view off the terminal; lines that were written for good stay. */
  close(): void;
}

const quiet = [
  "note",
  "adapting",
  "draining",
  "experiment-done",
  "experiment-failed",
  "bus",
  "damage",
  "results-service",
  "plate-map",
] as const;

/** People read `err`, so that `out` stays free for what a run gives; only `json` goes to `out`. */
export const renderProgress = (mode: ProgressMode, { out, err }: Streams): Progress => {
  if (mode === "silent") return { next: () => undefined, close: () => undefined };
  if (mode === "live") return liveProgress(err);
  const write =
    mode === "json"
      ? (status: Status) =>
          void out.write(`${JSON.stringify({ time: new Date().toISOString(), ...compact(status) })}\n`)
      : (status: Status) => {
          if (quiet.some((type) => type === status.type)) err.write(`${sentence(status)}\n`);
        };
  return { next: write, close: () => undefined };
};

const liveProgress = (stream: NodeJS.WritableStream): Progress => {
  const view = liveView(stream);
  return {
    next(status) {
      view.next(status);
      const line = status.type === "adapting" ? undefined : sentence(status); // the view shows it
      if (line !== undefined) view.persist(line);
    },
    close: () => view.close(),
  };
};

/** What stays on the terminal of an event; most are seen in the live view only. */
const sentence = (status: Status): string | undefined => {
  switch (status.type) {
    case "experiment-done":
      return doneSentence(status.report);
    case "experiment-failed": {
      const { experiment, attempts, code, reason } = status.failure;
      const failed = `${experiment}: failed after ${count(attempts, "attempt")}: [${code}] ${reason}`;
      return [failed, ...(status.stack ?? []).map((frame) => `    ${frame}`)].join("\n");
    }
    case "experiment-waiting":
      return `${status.experiment}: attempt ${status.attempt} failed and is repeated: ${status.reason}`;
    case "note":
      return `${status.experiment}: ${status.message}`;
    case "adapting":
      return `${status.experiment}: ${status.detail}`;
    case "worker":
      return status.state === "lost" ? `worker ${status.address} is lost: ${status.detail}` : undefined;
    case "bus":
      return `bus: ${status.detail}`;
    case "damage":
    case "results-service":
    case "plate-map":
      return status.detail;
    case "draining":
      return status.reason;
    default:
      return undefined;
  }
};

const doneSentence = (report: ExperimentReport): string => {
  const { experiment, wells, called, leftOut, seconds, imagesPerSecond } = report;
  const without = leftOut.length === 0 ? "" : `, ${count(leftOut.length, "site")} left out`;
  return `${experiment}: ${called} of ${wells} wells called${without}, ${formatDuration(seconds)}, ${formatRate(imagesPerSecond)}`;
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

/** The event without pixels, arrays and lists of sites. */
const compact = (status: Status): object => {
  switch (status.type) {
    case "left-out":
      return { type: status.type, experiment: status.experiment, ...compactSite(status.leftOut) };
    case "experiment-done": {
      const { leftOut, notCalled, notes, metadata: _, numericMetadata: __, ...report } = status.report;
      return {
        type: status.type,
        ...report,
        leftOut: leftOut.length,
        notCalled: notCalled.length,
        notes: notes.length,
      };
    }
    case "experiment-failed":
      return { type: status.type, ...status.failure, stack: status.stack };
    default:
      return status;
  }
};

const compactSite = ({ stage, site: { plate, well, site }, reason }: LeftOut) => ({ plate, well, site, stage, reason });
