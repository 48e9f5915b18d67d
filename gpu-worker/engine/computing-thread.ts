/**
 * A thread that runs jobs one after another, in the order in which they came.
 *
 * ONNX Runtime blocks the thread that calls it, and gives the memory of a closed session back to nobody but that
 * thread's end. So it has a thread of its own, which is replaced between two jobs once it has opened many networks.
 * A thread that crashes fails the job it ran; the next job gets a new one.
 */

import { Worker } from "node:worker_threads";
import { PlatestreamError } from "../../common/errors.ts";
import { byteSize } from "../../common/quantities.ts";
import type { NetworkOutputs } from "../runtime/runtime.ts";
import type { EngineCall, ExecutionTimes } from "./engine.ts";
import { type Job, type JobResult, sinceEpoch, type ThreadOptions } from "./job.ts";

export interface ComputingThreadOptions extends ThreadOptions {
  /** Jobs that may wait; more are refused with "too-many-calls". */
  readonly queue: number;
  /** Bytes that the pixels of those jobs may take; a job behind which nothing waits is taken whatever its size. */
  readonly queueBytes: number;
  /** Networks that a thread opens before it is replaced. */
  readonly sessionsPerThread: number;
  /** Called after every job that was computed. */
  readonly observe?: (job: Job, times: ExecutionTimes) => void;
}

export interface ComputingThread {
  /**
   * Resolves to the outputs by name. A job whose signal aborts is dropped when it still waits; its outputs are dropped
   * when it runs.
   */
  run(job: Job, call?: EngineCall): Promise<NetworkOutputs>;
  /** Finishes all jobs, then ends the thread. Jobs that come later are refused. */
  close(): Promise<void>;
  /** Jobs that wait. */
  readonly waiting: number;
}

interface Waiting {
  readonly job: Job;
  readonly call: EngineCall;
  readonly done: (outputs: NetworkOutputs) => void;
  readonly failed: (error: PlatestreamError) => void;
  readonly arrived: number;
  started: number;
}

/** Of the pixels alone: sending a view would send all of the memory behind it. */
const copyOf = (pixels: Job["pixels"]): Job["pixels"] =>
  pixels instanceof Uint8Array ? new Uint8Array(pixels) : pixels.slice();

const timesOf = (
  { arrived, started }: Waiting,
  { began, finished, cpu }: Extract<JobResult, { type: "done" }>,
): ExecutionTimes => ({
  queue: started - arrived,
  input: began - started,
  infer: finished - began,
  output: sinceEpoch() - finished,
  cpu,
});

const sizeOf = ({ job }: Waiting): number => job.pixels.byteLength;

const unavailable = (message: string) => new PlatestreamError("worker-unavailable", message);

const overfull = (what: string) =>
  new PlatestreamError(
    "too-many-calls",
    `${what} wait already, which is all that this worker queues; send the batch to another one, or later`,
  );

/** `program`: the file that the thread runs. */
export const startComputingThread = (
  { queue: most, queueBytes, sessionsPerThread, observe, ...options }: ComputingThreadOptions,
  program: URL = new URL("./thread.js", import.meta.url),
): ComputingThread => {
  const waiting: Waiting[] = [];
  let running: Waiting | undefined;
  let thread: Worker | undefined;
  let opened = 0;
  let closed = false;
  let idle: (() => void) | undefined;

  const start = (): Worker => {
    const started = new Worker(program, { workerData: options });
    let reason = "";
    opened = 0;
    started.on("message", (answer: JobResult) => {
      opened = answer.opened;
      const job = settle();
      if (job !== undefined && answer.type === "done") observe?.(job.job, timesOf(job, answer));
      if (answer.type === "done" && job?.call.transfer) job.call.giveBack?.(answer.pixels.buffer as ArrayBuffer);
      if (answer.type === "done") job?.done(answer.outputs);
      else job?.failed(new PlatestreamError(answer.code, answer.message));
      void next();
    });
    started.on("error", (error) => {
      reason = `: ${error.message}`;
    });
    started.on("exit", () => {
      if (thread !== started) return;
      thread = undefined;
      settle()?.failed(unavailable(`the thread that computes crashed${reason}; the next batch gets a new one`));
      void next();
    });
    return started;
  };

  const settle = (): Waiting | undefined => {
    const job = running;
    running = undefined;
    return job;
  };

  const end = async (): Promise<void> => {
    const ending = thread;
    thread = undefined;
    if (ending === undefined) return;
    const ended = new Promise((resolve) => ending.once("exit", resolve));
    ending.postMessage("close");
    await ended;
  };

  const next = async (): Promise<void> => {
    if (running !== undefined) return;
    running = waiting.shift();
    if (running === undefined) return idle?.();
    if (opened >= sessionsPerThread) await end();
    thread ??= start();
    const { job, call } = running;
    running.started = sinceEpoch();
    const pixels = call.transfer ? job.pixels : copyOf(job.pixels);
    try {
      thread.postMessage({ ...job, pixels }, [pixels.buffer as ArrayBuffer]);
    } catch (thrown) {
      settle()?.failed(PlatestreamError.from(thrown));
      await next();
    }
  };

  return {
    get waiting() {
      return waiting.length;
    },
    run(job, call = {}) {
      const { signal } = call;
      const cancelled = () => new PlatestreamError("cancelled", "the request was cancelled");
      if (closed) return Promise.reject(unavailable("the worker is shutting down; send the batch to another one"));
      if (signal?.aborted) return Promise.reject(cancelled());
      if (waiting.length >= most) return Promise.reject(overfull(`${most} batches`));
      const bytes = waiting.reduce((sum, each) => sum + sizeOf(each), 0);
      if (waiting.length > 0 && bytes + job.pixels.byteLength > queueBytes) {
        return Promise.reject(overfull(`batches of ${byteSize(bytes)} of ${byteSize(queueBytes)}`));
      }
      return new Promise((resolve, reject) => {
        const forget = () => signal?.removeEventListener("abort", onAbort);
        const item: Waiting = {
          job,
          call,
          arrived: sinceEpoch(),
          started: 0,
          done(outputs) {
            forget();
            resolve(outputs);
          },
          failed(error) {
            forget();
            reject(error);
          },
        };
        const onAbort = () => {
          const place = waiting.indexOf(item);
          if (place >= 0) waiting.splice(place, 1);
          item.failed(cancelled());
        };
        signal?.addEventListener("abort", onAbort);
        waiting.push(item);
        void next();
      });
    },
    async close() {
      closed = true;
      if (running !== undefined || waiting.length > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      await end();
    },
  };
};
