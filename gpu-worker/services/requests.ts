/** All requests of a worker, of whatever service: timed, and shown to an observer. */
import type { Metadata } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import { identityKey, type RequestIdentity, readIdentity } from "../../common/grpc/request-identity.ts";
import { fits, type ModelChoice } from "../../common/inference.ts";
import type { Engine } from "../engine/engine.ts";

/** How pixels come to a worker. */
export const pixelPaths = ["socket", "shared-memory"] as const;
export type PixelPath = (typeof pixelPaths)[number];

export interface ReceivedPixels {
  readonly path: PixelPath;
  readonly bytes: number;
}

/** Bytes of pixels, by the way that they came. */
export type Received = Readonly<Record<PixelPath, number>>;

export const nothingReceived: Received = { socket: 0, "shared-memory": 0 };

const also = (before: Received, { path, bytes }: ReceivedPixels): Received => ({
  ...before,
  [path]: before[path] + bytes,
});

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
  readonly received: Received;
  /** From when it was read until its answer was ready. */
  readonly milliseconds: number;
  readonly error?: PlatestreamError;
}

export const noModel: FinishedRequest["model"] = { name: "", version: "", cellType: "" };

export type ObserveRequest = (request: FinishedRequest) => void;

/** Called as soon as it is known which network and how many images a request means, and which pixels it brought. */
export type Asks = (choice: ModelChoice, images: number, pixels?: ReceivedPixels) => void;

export interface Requests {
  /** Does the work of one request. */
  run<T>(method: string, metadata: Metadata, work: (asks: Asks) => Promise<T>): Promise<T>;
  /** Requests under way. */
  readonly active: number;
  /** By all requests so far. */
  readonly received: Received;
}

export const openRequests = (engine: Engine, observe: ObserveRequest): Requests => {
  let active = 0;
  let all = nothingReceived;
  const run: Requests["run"] = async (method, metadata, work) => {
    const started = performance.now();
    let asked: ModelChoice | undefined;
    let count = 0;
    let received = nothingReceived;
    const ended = (error?: PlatestreamError) =>
      observe({
        method,
        model: asked === undefined ? noModel : named(engine, asked),
        about: readIdentity(String(metadata.get(identityKey)[0] ?? "")),
        images: count,
        received,
        milliseconds: performance.now() - started,
        ...(error === undefined ? {} : { error }),
      });
    active += 1;
    try {
      const result = await work((choice, images, pixels) => {
        asked = choice;
        count += images;
        if (pixels === undefined) return;
        received = also(received, pixels);
        all = also(all, pixels);
      });
      ended();
      return result;
    } catch (thrown) {
      const error = PlatestreamError.from(thrown);
      ended(error);
      throw error;
    } finally {
      active -= 1;
    }
  };
  return {
    run,
    get active() {
      return active;
    },
    get received() {
      return all;
    },
  };
};

const named = (engine: Engine, choice: ModelChoice): FinishedRequest["model"] => {
  const fitting = engine.models().filter((model) => fits(model, choice));
  return fitting.length === 1 ? fitting[0]! : noModel;
};

export const leaving = (): PlatestreamError =>
  new PlatestreamError("worker-unavailable", "the worker is shutting down; send what is left to another one");

/** Throws "worker-unavailable" once the worker drains. */
export const refuseWhile = (draining: AbortSignal): void => {
  if (draining.aborted) throw leaving();
};
