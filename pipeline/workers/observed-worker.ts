/** A worker whose requests are reported to an observer: what is sent, and how it ends. */
import { PlatestreamError } from "../../common/errors.ts";
import type { RemoteWorker, RequestOptions } from "./remote-worker.ts";

export interface SentRequest {
  readonly worker: string;
  readonly method: "predict" | "calibrate";
  readonly images: number;
  /** Of pixels. */
  readonly bytes: number;
  readonly about: RequestOptions["about"];
}

/** Called when a request goes out; what it returns, when it has ended. */
export type ObserveSent = (request: SentRequest) => (error?: PlatestreamError) => void;

export const observedWorker = (worker: RemoteWorker, observe: ObserveSent): RemoteWorker => {
  const watch = async <T>(request: Omit<SentRequest, "worker">, answer: Promise<T>): Promise<T> => {
    const ended = observe({ worker: worker.address, ...request });
    try {
      const result = await answer;
      ended();
      return result;
    } catch (thrown) {
      ended(PlatestreamError.from(thrown));
      throw thrown;
    }
  };
  return {
    ...worker,
    predict: (model, images, statistics, options) =>
      watch(
        { method: "predict", images: images.shape[0], bytes: images.pixels.byteLength, about: options.about },
        worker.predict(model, images, statistics, options),
      ),
    calibrate: (model, batches, sourceWeight, options) =>
      watch(
        {
          method: "calibrate",
          images: batches.reduce((sum, { shape }) => sum + shape[0], 0),
          bytes: batches.reduce((sum, { pixels }) => sum + pixels.byteLength, 0),
          about: options.about,
        },
        worker.calibrate(model, batches, sourceWeight, options),
      ),
  };
};
