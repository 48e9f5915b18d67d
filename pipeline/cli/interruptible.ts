/** Ctrl-C and SIGTERM as signals: the only place that listens to them. */
import type { Status } from "../status.ts";

export interface Interruptible {
  /** The first Ctrl-C: finish what runs. */
  readonly drain: AbortSignal;
  /** The second Ctrl-C, or SIGTERM: stop at once. */
  readonly signal: AbortSignal;
  close(): void;
}

export const interruptible = (onStatus: (status: Status) => void): Interruptible => {
  const drain = new AbortController();
  const stop = new AbortController();
  const onInterrupt = () => {
    if (drain.signal.aborted) return stop.abort();
    onStatus({
      type: "draining",
      reason: "interrupted: finishing the experiments that run; Ctrl-C again stops at once",
    });
    drain.abort();
  };
  const onTerminate = () => {
    onStatus({ type: "draining", reason: "terminated: experiments that run are handed back" });
    stop.abort();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return {
    drain: drain.signal,
    signal: stop.signal,
    close() {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
};
