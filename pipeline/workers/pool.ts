/** Many workers as one: spreads batches over them, retries on another, takes those that fail out and back in. */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCodes, listProblems, PlatestreamError } from "../../proto/errors.ts";
import type { CallOptions, ModelChoice, ModelInfo, Workers } from "../plugin.ts";
import type { Status } from "../status.ts";
import type { GrpcWorker, RequestOptions } from "./grpc-worker.ts";
import { batchBytes } from "./pack.ts";

export interface WorkerPool extends Workers {
  /** Lets go of the workers; requests under way fail. */
  close(): Promise<void>;
}

export interface PoolOptions {
  /** Requests that one worker is given at a time: while it computes one, the next is on its way. */
  readonly perWorker: number;
  /** Failures in a row that take a worker out, other than lost connections, which do at once. */
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

interface Member {
  readonly worker: GrpcWorker;
  state: "ready" | "lost";
  /** Undefined until the worker has answered once. */
  models: readonly ModelInfo[] | undefined;
  inFlight: number;
  bytes: number;
  failures: number;
  lastError: PlatestreamError | undefined;
}

/**
 * Asks all workers what they hold and returns once all have answered or failed. Rejects with "worker-unavailable" when
 * none answers, and with "invalid-model" when two hold different versions of one network.
 */
export const workerPool = async (
  workers: readonly GrpcWorker[],
  onStatus: (status: Status) => void,
  options: PoolOptions = defaultPoolOptions,
): Promise<WorkerPool> => {
  const closing = new AbortController();
  const members = workers.map(
    (worker): Member => ({
      worker,
      state: "lost",
      models: undefined,
      inFlight: 0,
      bytes: 0,
      failures: 0,
      lastError: undefined,
    }),
  );
  const ready = () => members.filter(({ state }) => state === "ready");
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const each of waiting) each();
    waiting.clear();
  };

  const join = async (member: Member): Promise<void> => {
    const ask = { signal: closing.signal, deadlineMs: options.askMs };
    const { models, runtime } = await member.worker.info(ask);
    checkVersions(member.worker.address, models, members);
    Object.assign(member, { state: "ready", models, failures: 0 } satisfies Partial<Member>);
    const detail = `${[...new Set(models.map(({ name, cellType }) => `${name} ${cellType}`))].join(", ")} on ${runtime}`;
    onStatus({ type: "worker", address: member.worker.address, state: "ready", detail });
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
    for (let attempt = 0; member.state === "lost" && !closing.signal.aborted; attempt++) {
      const wait = options.probeMs * 2 ** Math.min(attempt, 4);
      await sleep(wait, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (closing.signal.aborted) return;
      await join(member).catch((error) => {
        member.lastError = PlatestreamError.from(error);
      });
    }
  };

  /** Waits for a worker that holds the network and has room, and counts the request in. */
  const reserve = async (
    choice: ModelChoice,
    bytes: number,
    tried: ReadonlySet<Member>,
    signal: AbortSignal,
  ): Promise<Member> => {
    let until: number | undefined;
    for (;;) {
      if (closing.signal.aborted) throw new PlatestreamError("worker-unavailable", "the pool of workers is closed");
      if (signal.aborted) throw new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason });
      const able = members.filter(({ models }) => models === undefined || models.some((model) => fits(model, choice)));
      if (able.length === 0) throw unknownModel(choice, members);
      const usable = able.filter(({ state }) => state === "ready");
      const untried = usable.filter((member) => !tried.has(member));
      const free = (untried.length > 0 ? untried : usable).filter(({ inFlight }) => inFlight < options.perWorker);
      const [first, ...others] = free;
      if (first !== undefined) {
        const chosen = others.reduce((least, member) => (member.bytes < least.bytes ? member : least), first);
        chosen.inFlight += 1;
        chosen.bytes += bytes;
        return chosen;
      }
      if (usable.length > 0) until = undefined;
      else if (until === undefined) until = Date.now() + options.patienceMs;
      else if (Date.now() >= until) throw noneLeft(able);
      await change(signal, until);
    }
  };
  const change = (signal: AbortSignal, until: number | undefined): Promise<void> =>
    new Promise((resolve) => {
      const timer = until === undefined ? undefined : setTimeout(done, Math.max(0, until - Date.now()));
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
    });

  const request = async <T>(
    choice: ModelChoice,
    bytes: number,
    { retries, ...call }: CallOptions,
    ask: (worker: GrpcWorker, options: RequestOptions) => Promise<T>,
  ): Promise<T> => {
    // Every request under way listens to the signal of its run, and there may be many.
    setMaxListeners(0, call.signal);
    const tried = new Set<Member>();
    for (let attempt = 0; ; attempt++) {
      const member = await reserve(choice, bytes, tried, call.signal);
      try {
        const answer = await ask(member.worker, call);
        member.failures = 0;
        return answer;
      } catch (thrown) {
        const error = PlatestreamError.from(thrown);
        if (!errorCodes[error.code].retry) throw error;
        member.lastError = error;
        member.failures += 1;
        if (error.code === "worker-unavailable" || member.failures >= options.failures) takeOut(member, error);
        if (attempt >= retries) throw error;
        tried.add(member);
      } finally {
        member.inFlight -= 1;
        member.bytes -= bytes;
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

  const outcomes = await Promise.allSettled(members.map(join));
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === "rejected") members[index]!.lastError = PlatestreamError.from(outcome.reason);
  }
  const conflict = members.find(({ lastError }) => lastError?.code === "invalid-model")?.lastError;
  if (conflict !== undefined || ready().length === 0) {
    await close();
    throw conflict ?? noneLeft(members);
  }
  for (const member of members) {
    if (member.state === "ready") continue;
    onStatus({ type: "worker", address: member.worker.address, state: "lost", detail: member.lastError!.rawMessage });
    void probe(member);
  }

  return {
    async models() {
      const all = members.flatMap(({ models }) => models ?? []);
      return [...new Map(all.map((model) => [`${model.name} ${model.cellType} ${model.version}`, model])).values()];
    },
    get concurrency() {
      return options.perWorker * Math.max(1, ready().length);
    },
    predict: (choice, batch, statistics, call) =>
      request(choice, batchBytes(batch), call, async (worker, options) => {
        const answer = await worker.predict(choice, batch, statistics, options);
        checkVersions(worker.address, [answer.model], members);
        return answer;
      }),
    calibrate: (choice, batches, sourceWeight, call) =>
      request(
        choice,
        batches.reduce((sum, batch) => sum + batchBytes(batch), 0),
        call,
        (worker, options) => worker.calibrate(choice, batches, sourceWeight, options),
      ),
    close,
  };
};

const fits = (model: ModelInfo, { name, cellType }: ModelChoice): boolean =>
  (name === undefined || name === model.name) && cellType === model.cellType;

/** Any worker may take any batch, at any time of a run: a network has one version, on all workers and to the end. */
const checkVersions = (address: string, models: readonly ModelInfo[], members: readonly Member[]): void => {
  for (const model of models) {
    for (const { worker, models: known } of members) {
      const same = known?.find(({ name, cellType }) => name === model.name && cellType === model.cellType);
      if (same === undefined || same.version === model.version) continue;
      throw new PlatestreamError(
        "invalid-model",
        `all workers of a run must hold the same version of a network, but of ${model.name} ${model.cellType} worker ` +
          `${address} holds ${model.version} and worker ${worker.address} held ${same.version}; ` +
          `start all with the same bundle, and keep it while they run`,
      );
    }
  }
};

const noneLeft = (members: readonly Member[]): PlatestreamError =>
  new PlatestreamError(
    "worker-unavailable",
    listProblems(
      "no worker is left; the last that was heard of each:",
      members.map(({ worker, lastError }) => lastError?.rawMessage ?? `worker ${worker.address}: nothing`),
    ),
  );

const unknownModel = ({ name, cellType }: ModelChoice, members: readonly Member[]): PlatestreamError => {
  const known = members.flatMap(({ models }) => models ?? []).map((model) => `${model.name} ${model.cellType}`);
  return new PlatestreamError(
    "unknown-model",
    `no worker holds ${name === undefined ? "a network" : name} for cell type "${cellType}"; they hold ${[...new Set(known)].join(", ")}`,
  );
};
