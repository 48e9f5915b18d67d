/** Ctrl-C and SIGTERM as signals: the only place of a run that listens to them. */
import type { LogFormat } from "../../common/observe/log.ts";
import { startWatchdog } from "../../common/observe/watchdog.ts";
import type { Status } from "../../pipeline/run/status.ts";

export interface Interruptible {
  /** Take nothing new and finish what runs: the first Ctrl-C, or SIGTERM where there is time to finish. */
  readonly drain: AbortSignal;
  /** Stop at once: a second signal of either kind, or the end of the time that SIGTERM leaves. */
  readonly signal: AbortSignal;
  close(): void;
}

/** How long handing back may take after SIGTERM: a bus that does not answer is not waited for. */
const requeueMs = 10_000;

/**
 * `graceMs`: how long what runs may take to finish after SIGTERM; then, or on the next signal, it is requeued. Undefined:
 * SIGTERM stops at once. A third signal ends the process, even where code of a plugin does not let go of the main thread.
 */
export const interruptible = (
  onStatus: (status: Status) => void,
  graceMs?: number,
  format?: LogFormat,
): Interruptible => {
  const drain = new AbortController();
  const stop = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, what: () => void) => timers.push(setTimeout(what, ms).unref());
  const report = (reason: string) => onStatus({ type: "draining", reason });

  const requeue = () => {
    report("terminated: experiments that run are requeued");
    stop.abort();
    if (graceMs === undefined) return;
    after(requeueMs, () => {
      report("nobody took back what ran: leaving all the same");
      process.exit(1);
    });
  };
  /** Whatever still runs: a third signal is the last. */
  const stopped = () => {
    if (stop.signal.aborted) process.exit(130);
    return false;
  };
  const onInterrupt = () => {
    if (stopped()) return;
    if (drain.signal.aborted) return stop.abort();
    report("interrupted: finishing the experiments that run; Ctrl-C again stops at once");
    drain.abort();
  };
  const onTerminate = () => {
    if (stopped()) return;
    if (drain.signal.aborted || graceMs === undefined || graceMs === 0) return requeue();
    report(`terminated: experiments that run have ${graceMs / 1_000} s to finish, then they are requeued`);
    drain.abort();
    after(graceMs, requeue);
  };
  const watchdog = startWatchdog(format);
  watchdog.countSignals();
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return {
    drain: drain.signal,
    signal: stop.signal,
    close() {
      for (const timer of timers) clearTimeout(timer);
      watchdog.close();
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
};
