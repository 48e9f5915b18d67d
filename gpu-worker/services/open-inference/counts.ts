/** What ModelStatistics returns: how many images and runs, and where the time went, in Triton's terms. */
import type { ModelStatistics } from "../../../proto/types/inference/ModelStatistics.ts";
import type { Execution } from "../../engine/engine.ts";
import { type ServedModel, version } from "./models.ts";

interface Count {
  count: number;
  ns: number;
}

interface Counts {
  images: number;
  executions: number;
  lastMs: number;
  readonly times: Readonly<Record<"success" | "fail" | "queue" | "input" | "infer" | "output", Count>>;
}

export interface InferenceCounts {
  /** A run of a network, whoever asked for it. */
  execution(execution: Execution): void;
  /** A request of this protocol. */
  request(model: ServedModel, milliseconds: number, failed: boolean): void;
  of(model: ServedModel): ModelStatistics;
}

export const inferenceCounts = (): InferenceCounts => {
  const all = new Map<string, Counts>();
  const countsOf = (key: string): Counts => {
    const zero = (): Count => ({ count: 0, ns: 0 });
    const times = { success: zero(), fail: zero(), queue: zero(), input: zero(), infer: zero(), output: zero() };
    const counts = all.get(key) ?? { images: 0, executions: 0, lastMs: 0, times };
    all.set(key, counts);
    return counts;
  };
  const add = (to: Count, milliseconds: number): void => {
    to.count += 1;
    to.ns += Math.round(milliseconds * 1e6);
  };
  return {
    execution({ model, mode, images, times }) {
      const counts = countsOf(`${model.name}.${model.cellType}${mode === "calibration" ? ".calibrate" : ""}`);
      counts.images += images;
      counts.executions += 1;
      counts.lastMs = Date.now();
      for (const part of ["queue", "input", "infer", "output"] as const) add(counts.times[part], times[part]);
    },
    request({ name }, milliseconds, failed) {
      add(countsOf(name).times[failed ? "fail" : "success"], milliseconds);
    },
    of({ name }) {
      const { images, executions, lastMs, times } = countsOf(name);
      return {
        name,
        version,
        last_inference: lastMs,
        inference_count: images,
        execution_count: executions,
        inference_stats: {
          success: times.success,
          fail: times.fail,
          queue: times.queue,
          compute_input: times.input,
          compute_infer: times.infer,
          compute_output: times.output,
          cache_hit: { count: 0, ns: 0 },
          cache_miss: { count: 0, ns: 0 },
        },
      };
    },
  };
};
