/** What `pipeline worker` does. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerSecurityOptions } from "../../common/grpc/server-security.ts";
import { readServerSecurity } from "../../common/grpc/server-security.ts";
import { openMetrics } from "../../common/observe/metrics.ts";
import { serveProbes } from "../../common/observe/probes.ts";
import { listenAddress } from "../../common/security/listen-address.ts";
import { readIdentityFiles } from "../../common/security/tls.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import type { Engine, Execution } from "../../gpu-worker/engine/engine.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { watchGpus } from "../../gpu-worker/services/gpu-metrics.ts";
import { inferenceCounts } from "../../gpu-worker/services/open-inference/counts.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { logRequest } from "../../gpu-worker/services/worker-log.ts";
import { workerMetrics } from "../../gpu-worker/services/worker-metrics.ts";
import type { BusSecurityOptions } from "../../pipeline/bus/nats/security.ts";
import type { OperationsOptions } from "../parts/observe-options.ts";
import { openLogOn } from "../parts/observe-options.ts";
import { announceOnBus } from "./announce-worker.ts";

export interface WorkerOptions extends OperationsOptions, ServerSecurityOptions, BusSecurityOptions {
  readonly model: string[];
  readonly listen: string;
  readonly runtime: string;
  readonly provider: string;
  readonly precision: "float32" | "float16";
  readonly threads: number;
  readonly maxBatch: number;
  readonly bestBatch?: number;
  readonly sessions: number;
  readonly queueMemory: number;
  readonly bus?: string;
  readonly advertise?: string;
  readonly json?: boolean;
  readonly exitWithParent?: boolean;
}

/** Resolves when the worker was asked to end and everything in progress is finished. */
export const runWorker = async (options: WorkerOptions): Promise<void> => {
  const { model, listen, runtime, provider, precision, threads, maxBatch, bestBatch, sessions } = options;
  const queueBytes = options.queueMemory * 2 ** 20;
  let log = openLogOn(process.stderr, options);
  const security = await readServerSecurity(options, (problem) => log.warn(problem.rawMessage));
  // Before networks are loaded, which may take long.
  listenAddress(listen, { option: "--listen", who: "the worker", ...security });
  const end = whenToEnd(options.exitWithParent ?? false);
  let notReady: string | undefined = "the networks are being loaded";
  const watched = await openWatched(options, () => notReady);
  try {
    const bundles = await Promise.all(model.map(readBundle));
    const counts = inferenceCounts();
    const observe = (execution: Execution) => {
      counts.execution(execution);
      watched?.numbers.execution(execution);
    };
    const engine = await openEngine(bundles, {
      runtime,
      provider,
      precision,
      threads,
      maxBatch,
      bestBatch,
      sessions,
      queueBytes,
      observe,
    });
    try {
      const server = await startServer(engine, {
        listen,
        security,
        counts,
        observe(request) {
          watched?.numbers.request(request);
          logRequest(log, request);
        },
      });
      log = log.with({ worker: server.address });
      watched?.numbers.serve(engine, server);
      const announcement = await announceOnBus(options, server, engine, log).catch(async (error) => {
        await server.close(options.grace * 1_000);
        throw error;
      });
      notReady = undefined;
      for (const other of engine.device.refused) log.info("provider not used", other);
      sayReady(server.address, engine, options.json ?? false);
      log.info("ready", {
        provider: engine.device.provider,
        threads: engine.device.threads,
        metrics: watched?.probes.url,
      });
      if (watched?.noGpus !== undefined) log.info("no numbers of GPUs", { reason: watched.noGpus });
      await end.asked;
      notReady = "the worker is shutting down";
      log.info("shutting down", { requests: server.active });
      const leaving = Promise.race([announcement.close(), sleep(leaveBusMs, undefined, { ref: false })]);
      const [{ unfinished }] = await Promise.all([server.close(options.grace * 1_000), leaving]);
      if (unfinished > 0) {
        log.warn("requests are left unfinished", { requests: unfinished });
        setTimeout(kill, lastRunMs).unref();
      }
    } finally {
      await engine.close();
    }
  } finally {
    await watched?.probes.close();
    end.forget();
  }
};

/** How long the entry on a bus may take to be removed: one that does not answer forgets the worker by itself. */
const leaveBusMs = 3_000;

/** How long the run of a network that nobody waits for any more may take: it cannot be stopped. */
const lastRunMs = 5_000;

/** The runtime aborts the process, with a core dump, when it exits while a network runs. */
const kill = () => process.kill(process.pid, "SIGKILL");

const openWatched = async (options: WorkerOptions, notReady: () => string | undefined) => {
  const { metricsListen: listen, insecure = false } = options;
  if (listen === undefined) return undefined;
  const metrics = openMetrics();
  const identity = await readIdentityFiles(options);
  const probes = await serveProbes({ listen, insecure, identity, metrics, notReady });
  return { numbers: workerMetrics(metrics), probes, noGpus: await watchGpus(metrics) };
};

const sayReady = (address: string, { device, models }: Engine, json: boolean): void => {
  const { runtime, provider, threads } = device;
  const networks = models().map(({ name, cellType, version, trained }) => ({ name, cellType, version, trained }));
  const list = networks.map(({ name, cellType, trained }) => `${name} ${cellType}${trained ? "" : " (untrained)"}`);
  process.stdout.write(
    json
      ? `${JSON.stringify({ type: "ready", address, ...device, models: networks })}\n`
      : `ready on ${address}, computing with ${runtime} on ${provider}, ${threads} thread${threads === 1 ? "" : "s"}: ${list.join(", ")}\n`,
  );
};

interface End {
  readonly asked: Promise<void>;
  /** Lets go of stdin, which would keep the process alive. */
  forget(): void;
}

/** SIGTERM and Ctrl-C, or the end of stdin; a second signal kills the process. */
const whenToEnd = (withParent: boolean): End => {
  const { stdin } = process;
  let signals = 0;
  const asked = new Promise<void>((resolve) => {
    const onSignal = () => {
      signals += 1;
      if (signals > 1) kill();
      resolve();
    };
    process.on("SIGTERM", onSignal);
    // Ctrl-C reaches the parent as well, which still needs answers while it drains.
    process.on("SIGINT", withParent ? () => undefined : onSignal);
    if (!withParent) return;
    stdin.on("close", resolve);
    stdin.on("error", () => resolve());
    stdin.resume();
  });
  return { asked, forget: () => (withParent ? void stdin.destroy() : undefined) };
};
