/** All requests of a worker, of whatever service: counted while they are under way, timed, told to an observer; refused while it drains. */
import type { Metadata } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import { identityKey, type RequestIdentity, readIdentity } from "../../common/grpc/request-identity.ts";
import type { Engine, ModelChoice } from "../engine/engine.ts";

/** A request that was answered, with a result or with an error. One batch of a stream is one request. */
export interface FinishedRequest {
  readonly method: string;
  /** The network that it named; empty strings where there is no such one. */
  readonly model: { readonly name: string; readonly version: string; readonly cellType: string };
  /** What the client says that it is about. */
  readonly about: RequestIdentity;
  /** Address of a client that was not let in. */
  readonly from?: string;
  readonly images: number;
  /** From when it was read until its answer was ready. */
  readonly milliseconds: number;
  readonly error?: PlatestreamError;
}

export const noModel: FinishedRequest["model"] = { name: "", version: "", cellType: "" };

export type ObserveRequest = (request: FinishedRequest) => void;

export interface Requests {
  /** Does the work of one request; `asks` is called as soon as it is known which network and how many images it means. */
  run<T>(
    method: string,
    metadata: Metadata,
    work: (asks: (choice: ModelChoice, images: number) => void) => Promise<T>,
  ): Promise<T>;
  /** Aborted: no more requests are taken. */
  readonly draining: AbortSignal;
  readonly active: number;
  /** Refuses what comes from now on; resolves when nothing is under way. */
  drain(): Promise<void>;
}

export const openRequests = (engine: Engine, observe: ObserveRequest): Requests => {
  const draining = new AbortController();
  let active = 0;
  let idle: (() => void) | undefined;

  const named = ({ model, cellType }: ModelChoice): FinishedRequest["model"] => {
    const fitting = engine
      .models()
      .filter((each) => (model === "" || each.name === model) && (cellType === "" || each.cellType === cellType));
    return fitting.length === 1 ? fitting[0]! : noModel;
  };

  return {
    draining: draining.signal,
    get active() {
      return active;
    },
    async run(method, metadata, work) {
      const started = performance.now();
      let asked: ModelChoice | undefined;
      let count = 0;
      const tell = (error?: PlatestreamError) =>
        observe({
          method,
          model: asked === undefined ? noModel : named(asked),
          about: readIdentity(String(metadata.get(identityKey)[0] ?? "")),
          images: count,
          milliseconds: performance.now() - started,
          ...(error === undefined ? {} : { error }),
        });
      active += 1;
      try {
        if (draining.signal.aborted) throw leaving();
        const result = await work((choice, images) => {
          asked = choice;
          count += images;
        });
        tell();
        return result;
      } catch (thrown) {
        const error = PlatestreamError.from(thrown);
        tell(error);
        throw error;
      } finally {
        active -= 1;
        if (active === 0) idle?.();
      }
    },
    async drain() {
      draining.abort();
      if (active > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
    },
  };
};

export const leaving = (): PlatestreamError =>
  new PlatestreamError("worker-unavailable", "the worker is shutting down; send what is left to another one");
