/** What a run shows those who operate it: log lines, numbers and probes, opened together. */
import type { Log } from "../../common/observe/log.ts";
import { openMetrics } from "../../common/observe/metrics.ts";
import { serveProbes } from "../../common/observe/probes.ts";
import { readIdentityFiles, type TlsFiles } from "../../common/security/tls.ts";
import { logStatus } from "../../pipeline/observe/log-status.ts";
import { type NodeNow, nodeMetrics } from "../../pipeline/observe/node-metrics.ts";
import { readiness } from "../../pipeline/observe/readiness.ts";
import { countSent, logSent } from "../../pipeline/observe/sent-requests.ts";
import type { PixelMemory } from "../../pipeline/run/pixel-memory.ts";
import type { Status } from "../../pipeline/run/status.ts";
import type { ObserveSent } from "../../pipeline/workers/observed-worker.ts";
import { type OperationsOptions, openLogOn } from "../parts/observe-options.ts";

export interface RunOperations {
  /** Absent: nobody wants log lines. */
  readonly log: Log | undefined;
  /** For the runner to keep. */
  readonly memories: Set<PixelMemory>;
  next(status: Status): void;
  /** Of every request to a worker. */
  readonly observe: ObserveSent;
  /** From when on the bus can be asked. */
  watch(unsettled: NodeNow["unsettled"]): void;
  close(): Promise<void>;
}

export interface RunOperationsOptions extends OperationsOptions, Pick<TlsFiles, "tlsCert" | "tlsKey"> {
  /** Log lines are written even where nobody asked for a format or a level. */
  readonly logged: boolean;
  /** Other hosts may ask for metrics, unencrypted. */
  readonly insecure?: boolean | undefined;
  /** Bytes that decoded pixels may take. */
  readonly memoryBytes: number;
}

/** Probes answer from now on, and are not ready until a worker is. */
export const openRunOperations = async (options: RunOperationsOptions): Promise<RunOperations> => {
  const { logged, logFormat, logLevel, metricsListen, insecure = false, memoryBytes } = options;
  const log =
    logged || logFormat !== undefined || logLevel !== undefined ? openLogOn(process.stderr, options) : undefined;
  const memories = new Set<PixelMemory>();
  const ready = readiness();
  const followers: ((status: Status) => void)[] = [ready.next];
  const observers: ObserveSent[] = [];
  let unsettled: NodeNow["unsettled"] = async () => new Map();
  const closing: (() => Promise<void>)[] = [];
  if (log !== undefined) {
    followers.push((status) => logStatus(log, status));
    observers.push(logSent(log));
  }
  if (metricsListen !== undefined) {
    const metrics = openMetrics();
    followers.push(
      nodeMetrics(metrics, { memories, memoryBytes, unsettled: () => unsettled(), notReady: ready.reason }),
    );
    observers.push(countSent(metrics));
    const identity = await readIdentityFiles(options);
    const probes = await serveProbes({ listen: metricsListen, insecure, identity, metrics, notReady: ready.reason });
    closing.push(probes.close);
    if (log === undefined) process.stderr.write(`metrics and probes are served on ${probes.url}\n`);
    else log.info("metrics and probes are served", { url: probes.url });
  }
  return {
    log,
    memories,
    next(status) {
      for (const follower of followers) follower(status);
    },
    observe(request) {
      const ended = observers.map((observer) => observer(request));
      return (error) => {
        for (const each of ended) each(error);
      };
    },
    watch(given) {
      unsettled = given;
    },
    async close() {
      for (const close of closing) await close();
    },
  };
};
