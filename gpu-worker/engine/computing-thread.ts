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
import { joinJobs, splitOutputs, together } from "./join-jobs.ts";

export interface ComputingThreadOptions extends ThreadOptions {
  /** Jobs that may wait; more are refused with "too-many-calls". */
  readonly queue: number;
  /** Bytes that the pixels of those jobs may take; a job behind which nothing waits is taken whatever its size. */
  readonly queueBytes: number;
  /** Images up to which batches that wait are computed as one (`join-jobs.ts`); 0: each as it comes. */
  readonly bestBatch: number;
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
  /** It failed with others, and is tried by itself. */
  alone: boolean;
}

/** What one run computes. */
interface Run {
  readonly items: readonly [Waiting, ...Waiting[]];
  readonly job: Job;
  /** The thread may have the pixels as they are. */
  readonly transfer: boolean;
  started: number;
}

/** Of the pixels alone: sending a view would send all of the memory behind it. */
const copyOf = (pixels: Job["pixels"]): Job["pixels"] =>
  pixels instanceof Uint8Array ? new Uint8Array(pixels) : pixels.slice();

const timesOf = (
  { items: [{ arrived }], started }: Run,
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
  { queue: most, queueBytes, bestBatch, sessionsPerThread, observe, ...options }: ComputingThreadOptions,
  program: URL = new URL("./thread.js", import.meta.url),
): ComputingThread => {
  const waiting: Waiting[] = [];
  let running: Run | undefined;
  /** The next run, where it is as large as runs get: it was put together while the one before computed. */
  let prepared: Run | undefined;
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
      const run = settle();
      if (run !== undefined && answer.type === "done") answered(run, answer);
      else if (run !== undefined && answer.type === "failed")
        failed(run, new PlatestreamError(answer.code, answer.message));
      void next();
    });
    started.on("error", (error) => {
      reason = `: ${error.message}`;
    });
    started.on("exit", () => {
      if (thread !== started) return;
      thread = undefined;
      const run = settle();
      if (run !== undefined) {
        failed(run, unavailable(`the thread that computes crashed${reason}; the next batch gets a new one`));
      }
      void next();
    });
    return started;
  };

  const settle = (): Run | undefined => {
    const run = running;
    running = undefined;
    return run;
  };

  const answered = (run: Run, answer: Extract<JobResult, { type: "done" }>): void => {
    observe?.(run.job, timesOf(run, answer));
    const { items, transfer } = run;
    const [first] = items;
    if (items.length === 1) {
      if (transfer) first.call.giveBack?.(answer.pixels.buffer as ArrayBuffer);
      first.done(answer.outputs);
      return;
    }
    const parts = splitOutputs(
      answer.outputs,
      items.map(({ job }) => job),
    );
    for (const [index, item] of items.entries()) {
      const { pixels } = item.job;
      if (item.call.transfer) item.call.giveBack?.(pixels.buffer as ArrayBuffer); // they were copied
      item.done(parts[index]!);
    }
  };
  /** One of several may be to blame for all: each gets a run of its own. */
  const failed = ({ items }: Run, error: PlatestreamError): void => {
    if (items.length === 1) {
      items[0].failed(error);
      return;
    }
    for (const item of items) item.alone = true;
    waiting.unshift(...items.filter(({ call }) => call.signal?.aborted !== true));
  };

  /** The next run of what waits. */
  const gather = (): Run | undefined => {
    const [first, ...others] = waiting;
    if (first === undefined) return undefined;
    const items = together([first, ...others], bestBatch);
    for (const item of items) waiting.splice(waiting.indexOf(item), 1);
    if (items.length === 1) {
      return { items: [first], job: first.job, transfer: first.call.transfer === true, started: 0 };
    }
    const job = joinJobs(items.map((item) => item.job) as [Job, ...Job[]]);
    return { items: items as [Waiting, ...Waiting[]], job, transfer: true, started: 0 };
  };
  const prepare = (): void => {
    const [first, ...others] = waiting;
    if (running === undefined || prepared !== undefined || first === undefined || bestBatch === 0) return;
    const size = ({ job }: Waiting): number => job.shape[0]!;
    const images = together([first, ...others], bestBatch).reduce((sum, item) => sum + size(item), 0);
    if (images + size(first) > bestBatch) prepared = gather();
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
    running = prepared ?? gather();
    prepared = undefined;
    if (running === undefined) return idle?.();
    if (opened >= sessionsPerThread) await end();
    thread ??= start();
    const { job, transfer } = running;
    running.started = sinceEpoch();
    const pixels = transfer ? job.pixels : copyOf(job.pixels);
    try {
      thread.postMessage({ ...job, pixels }, [pixels.buffer as ArrayBuffer]);
    } catch (thrown) {
      failed(settle()!, PlatestreamError.from(thrown));
      await next();
    }
    prepare();
  };
  const held = (): Waiting[] => [...(prepared?.items ?? []), ...waiting];

  return {
    get waiting() {
      return held().length;
    },
    run(job, call = {}) {
      const { signal } = call;
      const cancelled = () => new PlatestreamError("cancelled", "the request was cancelled");
      if (closed) return Promise.reject(unavailable("the worker is shutting down; send the batch to another one"));
      if (signal?.aborted) return Promise.reject(cancelled());
      const queued = held();
      if (queued.length >= most) return Promise.reject(overfull(`${most} batches`));
      const bytes = queued.reduce((sum, each) => sum + sizeOf(each), 0);
      if (queued.length > 0 && bytes + job.pixels.byteLength > queueBytes) {
        return Promise.reject(overfull(`batches of ${byteSize(bytes)} of ${byteSize(queueBytes)}`));
      }
      return new Promise((resolve, reject) => {
        const forget = () => signal?.removeEventListener("abort", onAbort);
        const item: Waiting = {
          job,
          call,
          arrived: sinceEpoch(),
          alone: false,
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
        prepare();
      });
    },
    async close() {
      closed = true;
      if (running !== undefined || held().length > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      await end();
    },
  };
};
