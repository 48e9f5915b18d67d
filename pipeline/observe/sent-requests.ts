/** A node's requests to its workers: numbers, and a log line each. */
import type { Log } from "../../common/observe/log.ts";
import type { Metrics } from "../../common/observe/metrics.ts";
import type { ObserveSent } from "../workers/observed-worker.ts";

export const logSent =
  (log: Log): ObserveSent =>
  ({ worker, method, images, about }) => {
    const started = performance.now();
    return (error) => {
      const fields = { ...about, worker, method, images, ms: Math.round(performance.now() - started) };
      if (error === undefined) log.debug("worker answered", fields);
      else if (error.code === "cancelled") log.debug("request to worker cancelled", fields);
      else log.warn("worker failed", { ...fields, code: error.code, reason: error.rawMessage });
    };
  };

export const countSent = (metrics: Metrics): ObserveSent => {
  const outstanding = new Map<string, { requests: number; bytes: number }>();
  const requests = metrics.counter("platestream_worker_requests_total", "Requests that a worker answered or failed", [
    "worker",
    "method",
    "outcome",
  ]);
  const images = metrics.counter("platestream_worker_images_total", "Images that a worker answered", [
    "worker",
    "method",
  ]);
  const seconds = metrics.counter(
    "platestream_worker_request_seconds_total",
    "From a request to its answer, where it succeeded, summed up",
    ["worker", "method"],
  );
  for (const what of ["requests", "bytes"] as const) {
    metrics.gauge(
      `platestream_worker_outstanding_${what}`,
      `Sent to a worker and not answered: ${what}`,
      ["worker"],
      () => [...outstanding].map(([worker, of]) => [{ worker }, of[what]] as const),
    );
  }
  return ({ worker, method, images: count, bytes }) => {
    const started = performance.now();
    const of = outstanding.get(worker) ?? { requests: 0, bytes: 0 };
    outstanding.set(worker, of);
    of.requests += 1;
    of.bytes += bytes;
    return (error) => {
      of.requests -= 1;
      of.bytes -= bytes;
      requests({ worker, method, outcome: error === undefined ? "ok" : error.code });
      if (error !== undefined) return;
      images({ worker, method }, count);
      seconds({ worker, method }, (performance.now() - started) / 1000);
    };
  };
};
