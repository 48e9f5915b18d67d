/** Many workers as one: spreads batches over them, retries on another, takes those that fail out and back in. */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, errorCodes, PlatestreamError } from "../../common/errors.ts";
import { fits, type Images, type ModelChoice } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { Status } from "../run/status.ts";
import { distinct, type Member, noneLeft, noWorker, requestsAtATime, unknownModel } from "./member.ts";
import type { RemoteWorker, RequestOptions } from "./remote-worker.ts";
import { networkVersions } from "./versions.ts";
import type { CallOptions, Workers } from "./workers.ts";

export interface WorkerPool extends Workers {
  /** Networks that a worker holds which is there now. */
  ready(): readonly ModelInfo[];
  /** Lets go of the workers; requests under way fail. */
  close(): Promise<void>;
}

/** A pool whose workers come and go. */
export interface OpenPool extends WorkerPool {
  /** Resolves when the worker has said what it holds. Rejects where it cannot, and goes on asking. */
  add(worker: RemoteWorker): Promise<void>;
  /** Whether it is asked for anything, and answers when it is asked now. */
  answers(worker: RemoteWorker): Promise<boolean>;
  /** Gives a worker nothing more; what it has in hand it may finish. */
  drop(worker: RemoteWorker, why: string): void;
}

export interface PoolOptions {
  /** Requests that one worker is given at a time at least: while it computes one, the next is on its way. */
  readonly perWorker: number;
  /** Failures in a row that take a worker out; lost connections and refused logins do at once. */
  readonly failures: number;
  /** First wait before a worker that was taken out is asked again; it doubles up to sixteen times that. */
  readonly probeMs: number;
  /** How long a request waits for a worker to come back when none is left. */
  readonly patienceMs: number;
  /** Wait before the first further attempt; it doubles with every other. */
  readonly backOffMs: number;
  /** For questions about models and health. */
  readonly askMs: number;
}

export const defaultPoolOptions: PoolOptions = {
  perWorker: 2,
  failures: 3,
  probeMs: 500,
  patienceMs: 15_000,
  backOffMs: 100,
  askMs: 10_000,
};

/** Asked before a worker is taken in; what it throws keeps the worker out. */
export type Accept = (models: readonly ModelInfo[]) => Promise<void>;

/** Failures that every other request to the worker would share. */
const gone: ReadonlySet<ErrorCode> = new Set(["worker-unavailable", "unauthenticated", "permission-denied"]);

interface Load {
  readonly choice: ModelChoice;
  readonly bytes: number;
  /** Others wait for what is urgent. */
  readonly urgency: "urgent" | "other";
  /** Whether a worker has what is to be sent already. */
  readonly held?: (worker: RemoteWorker) => boolean;
}

/**
 * Asks all workers what they hold and returns once all have answered or failed. Rejects with "no-worker" when none
 * answers, and with "invalid-model" when two hold different versions of one network.
 */
export const workerPool = async (
  workers: readonly RemoteWorker[],
  onStatus: (status: Status) => void,
  options: PoolOptions = defaultPoolOptions,
): Promise<WorkerPool> => {
  const pool = openPool("fixed", onStatus, options);
  const outcomes = await Promise.allSettled(workers.map(pool.add));
  const errors = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [PlatestreamError.from(outcome.reason)] : [],
  );
  const conflict = errors.find(({ code }) => code === "invalid-model");
  if (conflict !== undefined || errors.length === workers.length) {
    await pool.close();
    throw conflict ?? noneLeft(errors.map(({ rawMessage }) => rawMessage));
  }
  return pool;
};

/**
 * A pool without workers. `changing`: others may come, so a request for a network that nobody holds waits for them, like
 * one whose workers are lost, and ends with "no-worker"; `fixed`: it ends with "unknown-model", at once.
 */
export const openPool = (
  kind: "fixed" | "changing",
  onStatus: (status: Status) => void,
  options: PoolOptions = defaultPoolOptions,
  accept: Accept = async () => undefined,
): OpenPool => {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const members = new Set<Member>();
  const versions = networkVersions();
  const ready = () => [...members].filter(({ state }) => state === "ready");
  const waiting = { urgent: new Set<() => void>(), other: new Set<() => void>() };
  /** In the order in which they came, the urgent ones first: whoever is first asks first for what is free. */
  const wake = () => {
    for (const each of [...waiting.urgent, ...waiting.other]) each();
  };
  const memberOf = (worker: RemoteWorker) => [...members].find((member) => member.worker === worker);

  const join = async (member: Member): Promise<void> => {
    const { address } = member.worker;
    const ask = { signal: closing.signal, deadlineMs: options.askMs };
    const { models, runtime, bestBatch, pixels } = await member.worker.info(ask);
    versions.check(address, models);
    await accept(models);
    if (member.dropped) return;
    versions.check(address, models);
    versions.keep(address, models);
    Object.assign(member, {
      ...{ state: "ready", models, failures: 0 },
      atATime: requestsAtATime(models, bestBatch, options.perWorker),
    } satisfies Partial<Member>);
    const networks = [...new Set(models.map(({ name, cellType }) => `${name} ${cellType}`))].join(", ");
    const detail = `${networks} on ${runtime}${pixels === "shared-memory" ? ", pixels through shared memory" : ""}`;
    onStatus({ type: "worker", address, state: "ready", detail });
    wake();
  };
  const takeOut = (member: Member, error: PlatestreamError): void => {
    if (member.state === "lost" || closing.signal.aborted) return;
    member.state = "lost";
    onStatus({ type: "worker", address: member.worker.address, state: "lost", detail: error.rawMessage });
    wake();
    void probe(member);
  };
  const probe = async (member: Member): Promise<void> => {
    const over = () => member.state === "ready" || closing.signal.aborted || member.dropped;
    for (let attempt = 0; !over(); attempt++) {
      const wait = options.probeMs * 2 ** Math.min(attempt, 4);
      await sleep(wait, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (over()) return;
      await join(member).catch((error) => {
        member.lastError = PlatestreamError.from(error);
      });
    }
  };

  /** Waits for a worker that holds the network and has room, and counts the request in. */
  const reserve = async (
    { choice, bytes, urgency, held }: Load,
    tried: ReadonlySet<Member>,
    signal: AbortSignal,
  ): Promise<Member> => {
    let until: number | undefined;
    for (;;) {
      if (closing.signal.aborted) throw new PlatestreamError("worker-unavailable", "the pool of workers is closed");
      if (signal.aborted) throw new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason });
      const able = [...members].filter(
        ({ models }) => models === undefined || models.some((model) => fits(model, choice)),
      );
      if (able.length === 0 && kind === "fixed") throw unknownModel(choice, [...members]);
      const usable = able.filter(({ state }) => state === "ready");
      const untried = usable.filter((member) => !tried.has(member));
      const free = (untried.length > 0 ? untried : usable).filter(({ inFlight, atATime }) => inFlight < atATime);
      const [first, ...others] = free;
      if (first !== undefined) {
        const least = others.reduce((chosen, member) => (member.bytes < chosen.bytes ? member : chosen), first);
        const chosen = (held && free.find(({ worker }) => held(worker))) ?? least;
        // Among equals, the one that was not asked for longest.
        members.delete(chosen);
        members.add(chosen);
        chosen.inFlight += 1;
        chosen.bytes += bytes;
        return chosen;
      }
      if (usable.length > 0) until = undefined;
      else if (until === undefined) until = performance.now() + options.patienceMs;
      else if (performance.now() >= until) throw noWorker(choice, able);
      await change(waiting[urgency], signal, until);
    }
  };
  const change = (waiters: Set<() => void>, signal: AbortSignal, until: number | undefined): Promise<void> =>
    new Promise((resolve) => {
      const timer = until === undefined ? undefined : setTimeout(done, Math.max(0, until - performance.now()));
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        waiters.delete(done);
        resolve();
      }
      waiters.add(done);
      signal.addEventListener("abort", done, { once: true });
    });

  const request = async <T>(
    load: Load,
    { retries, ...call }: CallOptions,
    ask: (worker: RemoteWorker, options: RequestOptions) => Promise<T>,
  ): Promise<T> => {
    // Every request under way listens to the signal of its run, and there may be many.
    setMaxListeners(0, call.signal);
    const tried = new Set<Member>();
    for (let attempt = 0; ; attempt++) {
      const member = await reserve(load, tried, call.signal);
      try {
        const answer = await ask(member.worker, call);
        member.failures = 0;
        return answer;
      } catch (thrown) {
        const error = PlatestreamError.from(thrown);
        if (!errorCodes[error.code].retry) throw error;
        member.lastError = error;
        member.failures += 1;
        if (gone.has(error.code) || member.failures >= options.failures) takeOut(member, error);
        if (attempt >= retries) throw error;
        tried.add(member);
      } finally {
        member.inFlight -= 1;
        member.bytes -= load.bytes;
        if (member.dropped && member.inFlight === 0) member.worker.close();
        wake();
      }
      await sleep(options.backOffMs * 2 ** attempt, undefined, { signal: call.signal }).catch(() => undefined);
    }
  };

  const close = async (): Promise<void> => {
    closing.abort();
    wake();
    for (const { worker } of members) worker.close();
  };

  return {
    async add(worker) {
      const member: Member = {
        worker,
        state: "lost",
        models: undefined,
        atATime: options.perWorker,
        inFlight: 0,
        bytes: 0,
        failures: 0,
        lastError: undefined,
        dropped: false,
      };
      members.add(member);
      try {
        await join(member);
      } catch (thrown) {
        member.lastError = PlatestreamError.from(thrown);
        const { address } = worker;
        if (!closing.signal.aborted && !member.dropped)
          onStatus({ type: "worker", address, state: "lost", detail: member.lastError.rawMessage });
        void probe(member);
        throw member.lastError;
      }
    },
    async answers(worker) {
      if (memberOf(worker)?.state !== "ready") return false;
      return worker.info({ signal: closing.signal, deadlineMs: options.askMs }).then(
        () => true,
        () => false,
      );
    },
    drop(worker, why) {
      const member = memberOf(worker);
      if (member === undefined) return;
      members.delete(member);
      const wasReady = member.state === "ready";
      member.state = "lost";
      member.dropped = true;
      if (wasReady) onStatus({ type: "worker", address: worker.address, state: "lost", detail: why });
      if (member.inFlight === 0) worker.close();
      wake();
    },
    ready: () => distinct(ready()),
    async models() {
      return distinct([...members]);
    },
    get concurrency() {
      return ready().reduce((sum, { atATime }) => sum + atATime, 0) || options.perWorker;
    },
    predict: (choice, images, statistics, call) =>
      request(
        { choice, bytes: images.pixels.byteLength, urgency: "other", held: (worker) => worker.holds(images) },
        call,
        async (worker, options) => {
          const prediction = await worker.predict(choice, images, statistics, options);
          versions.check(worker.address, [prediction.model]);
          return prediction;
        },
      ),
    async calibrate(choice, batches, sourceWeight, call) {
      const estimate = (some: readonly Images[], weight: number) =>
        request(
          { choice, bytes: some.reduce((sum, { pixels }) => sum + pixels.byteLength, 0), urgency: "urgent" },
          call,
          (worker, options) => worker.calibrate(choice, some, weight, options),
        );
      const able = ready().filter(({ models }) => models!.some((model) => fits(model, choice)));
      if (batches.length === 1 || able.length < 2) return estimate(batches, sourceWeight);
      // The rest of the domain waits for this: every batch of it goes to whoever is free.
      const estimates = await Promise.all(
        batches.map(async (batch) => ({ data: (await estimate([batch], 0)).data, images: batch.shape[0] })),
      );
      return request({ choice, bytes: 0, urgency: "urgent" }, call, (worker, options) =>
        worker.combine(choice, estimates, sourceWeight, options),
      );
    },
    close,
  };
};
