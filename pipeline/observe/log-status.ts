/** What happens in a run as log lines. Requests are not in it: whoever sends them logs them. */
import type { Log, LogFields, LogLevel } from "../../common/observe/log.ts";
import type { Status } from "../run/status.ts";

export const logStatus = (log: Log, status: Status): void => {
  const line = lineOf(status);
  if (line === undefined) return;
  const [level, message, fields] = line;
  log[level](message, fields);
};

type Line = readonly [level: LogLevel, message: string, fields?: LogFields];

const lineOf = (status: Status): Line | undefined => {
  switch (status.type) {
    case "run-started":
      return ["info", "run started", { experiments: status.experiments.length, done: status.done.length }];
    case "adapting":
      return ["info", "adapting", { experiment: status.experiment, detail: status.detail }];
    case "experiment-running": {
      const { experiment, attempt, plates } = status;
      const sites = plates.reduce((sum, plate) => sum + plate.sites, 0);
      return ["info", "experiment started", { experiment, attempt, plates: plates.length, sites }];
    }
    case "left-out": {
      const { stage, site: of, reason } = status.leftOut;
      const { experiment, plate, well, site } = of;
      return ["warn", "site left out", { experiment, plate, well, site, stage, reason }];
    }
    case "note":
      return ["info", status.message, { experiment: status.experiment }];
    case "experiment-done": {
      const { experiment, attempts: attempt, ...report } = status.report;
      const { wells, called, leftOut, seconds, imagesPerSecond } = report;
      const fields = { experiment, attempt, wells, called, leftOut: leftOut.length, seconds };
      return ["info", "experiment done", { ...fields, imagesPerSecond: Number(imagesPerSecond.toFixed(1)) }];
    }
    case "experiment-waiting": {
      const { experiment, attempt, code, stage, reason } = status;
      return ["warn", "attempt failed", { experiment, attempt, code, stage, reason }];
    }
    case "experiment-failed": {
      const { experiment, attempts: attempt, code, reason } = status.failure;
      return [
        "error",
        "experiment failed",
        { experiment, attempt, code, stage: status.stage, reason, stack: status.stack?.join("; ") },
      ];
    }
    case "worker":
      return [severity(status.state), `worker ${status.state}`, { worker: status.address, detail: status.detail }];
    case "damage":
      return ["warn", status.detail];
    case "results-service":
    case "plate-map":
      return ["info", status.detail];
    case "bus":
      return [severity(status.state), `bus ${status.state}`, { detail: status.detail }];
    case "draining":
      return ["info", status.reason];
    case "run-done":
      return ["info", "run done", { seconds: status.seconds }];
    default:
      return undefined;
  }
};

const severity = (state: "starting" | "ready" | "lost"): LogLevel => (state === "lost" ? "warn" : "info");
