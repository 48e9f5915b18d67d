/** A worker as the pool knows it, and what is said when no worker will do. */
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { describeChoice, type ModelChoice } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import type { RemoteWorker } from "./remote-worker.ts";

export interface Member {
  readonly worker: RemoteWorker;
  state: "ready" | "lost";
  /** Undefined until the worker has answered once. */
  models: readonly ModelInfo[] | undefined;
  /** Requests that it is given at a time. */
  atATime: number;
  inFlight: number;
  bytes: number;
  failures: number;
  lastError: PlatestreamError | undefined;
  dropped: boolean;
}

/** So many that it can put two of its best batches together, one to compute and one behind it. */
export const requestsAtATime = (models: readonly ModelInfo[], bestBatch: number, least: number): number => {
  const batch = Math.min(...models.map(({ serving }) => serving.batch));
  return Math.max(least, Math.ceil((2 * bestBatch) / batch));
};

/** Every network once, however many workers hold it. */
export const distinct = (members: readonly Member[]): readonly ModelInfo[] => {
  const all = members.flatMap(({ models }) => models ?? []);
  return [...new Map(all.map((model) => [`${model.name} ${model.cellType} ${model.version}`, model])).values()];
};

export const noneLeft = (heard: readonly string[]): PlatestreamError =>
  new PlatestreamError("no-worker", listProblems("no worker is left; the last that was heard of each:", heard));

export const noWorker = (choice: ModelChoice, able: readonly Member[]): PlatestreamError =>
  able.length === 0
    ? new PlatestreamError(
        "no-worker",
        `no worker holds a ${describeChoice(choice)}; start one with \`pipeline worker --bus\``,
      )
    : noneLeft(able.map(({ worker, lastError }) => lastError?.rawMessage ?? `worker ${worker.address}: nothing`));

export const unknownModel = (choice: ModelChoice, members: readonly Member[]): PlatestreamError => {
  const known = distinct(members).map(({ name, cellType }) => `${name} ${cellType}`);
  return new PlatestreamError(
    "unknown-model",
    `no worker holds a ${describeChoice(choice)}; they hold ${[...new Set(known)].join(", ")}`,
  );
};
