/** A worker's numbers, with the names that Triton Inference Server gives them, so that its dashboards fit. */
import type { ErrorCode } from "../../common/errors.ts";
import type { Metrics } from "../../common/observe/metrics.ts";
import type { Engine, Execution } from "../engine/engine.ts";
import { jobModes } from "../engine/job.ts";
import { type FinishedRequest, pixelPaths } from "./requests.ts";

export interface WorkerMetrics {
  request(request: FinishedRequest): void;
  execution(execution: Execution): void;
  /** What is served, whose counters start at 0, and from where the numbers come that are read when somebody asks. */
  serve(engine: Pick<Engine, "device" | "models" | "waiting">, server: { readonly active: number }): void;
}

const methods = ["Predict", "PredictStream", "Calibrate", "ModelInfer", "ModelStreamInfer"] as const;

const perModel = ["model", "version", "cell_type"] as const;

/** Triton's reasons; what the client asked wrongly is OTHER, as there. */
const reasons: Partial<Record<ErrorCode, string>> = {
  "worker-unavailable": "REJECTED",
  "too-many-calls": "REJECTED",
  cancelled: "CANCELED",
  deadline: "CANCELED",
  internal: "BACKEND",
};

export const workerMetrics = (metrics: Metrics): WorkerMetrics => {
  const success = metrics.counter("nv_inference_request_success", "Requests answered, a batch each", [
    ...perModel,
    "method",
  ]);
  const failure = metrics.counter(
    "nv_inference_request_failure",
    "Requests that failed, by Triton's reason and our code",
    [...perModel, "method", "reason", "code"],
  );
  const count = metrics.counter("nv_inference_count", "Images computed", [...perModel, "mode"]);
  const executions = metrics.counter("nv_inference_exec_count", "Runs of the network, a batch each", [
    ...perModel,
    "mode",
  ]);
  const duration = (name: string, help: string) =>
    metrics.counter(`nv_inference_${name}_duration_us`, `${help}, microseconds, summed up`, perModel);
  const requests = duration("request", "From a request to its answer, where it succeeded");
  const queue = duration("queue", "Waiting for the batches before");
  const input = duration("compute_input", "Moving and laying out pixels, loading the network where it is not");
  const infer = duration("compute_infer", "Running the network");
  const output = duration("compute_output", "Taking the network's outputs");
  const pixels = metrics.counter("platestream_worker_pixel_bytes_total", "Pixels that came, by the way they took", [
    "path",
  ]);
  for (const path of pixelPaths) pixels({ path }, 0);
  const cpu = metrics.counter(
    "platestream_compute_cpu_us",
    "Processor time while networks ran; over nv_inference_compute_infer_duration_us it is the cores in use",
    perModel,
  );

  return {
    request({ method, model, milliseconds, received, error }) {
      const labels = labelsOf(model);
      for (const path of pixelPaths) pixels({ path }, received[path]);
      if (error === undefined) {
        success({ ...labels, method });
        requests(labels, milliseconds * 1000);
      } else failure({ ...labels, method, reason: reasons[error.code] ?? "OTHER", code: error.code });
    },
    execution({ model, mode, images, times }) {
      const labels = labelsOf(model);
      count({ ...labels, mode }, images);
      executions({ ...labels, mode });
      queue(labels, times.queue * 1000);
      input(labels, times.input * 1000);
      infer(labels, times.infer * 1000);
      output(labels, times.output * 1000);
      cpu(labels, times.cpu * 1000);
    },
    serve(engine, server) {
      for (const model of engine.models()) {
        const labels = labelsOf(model);
        for (const method of methods) success({ ...labels, method }, 0);
        for (const mode of jobModes) {
          count({ ...labels, mode }, 0);
          executions({ ...labels, mode }, 0);
        }
        for (const sum of [requests, queue, input, infer, output, cpu]) sum(labels, 0);
      }
      const { runtime, provider, precision, refused } = engine.device;
      metrics.gauge("platestream_worker_provider", "What computes", ["runtime", "provider", "precision"], () => [
        [{ runtime, provider, precision }, 1],
      ]);
      metrics.gauge("platestream_worker_provider_refused", "Why other providers do not", ["provider", "reason"], () =>
        refused.map(({ provider, reason }) => [{ provider, reason }, 1] as const),
      );
      const pending = "Batches that wait for those before them";
      metrics.gauge("nv_inference_pending_request_count", pending, [], () => [[{}, engine.waiting]]);
      metrics.gauge("platestream_active_requests", "Requests under way", [], () => [[{}, server.active]]);
    },
  };
};

const labelsOf = ({ name, version, cellType }: FinishedRequest["model"]) => ({
  model: name,
  version,
  cell_type: cellType,
});
