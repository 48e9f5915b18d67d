/** The service `platestream.v1.Worker` on an engine. */
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import type {
  CalibrateRequest,
  CalibrateResponse,
  ImagesMessage,
  ListModelsResponse,
  PredictRequest,
  PredictResponse,
  Sent,
} from "../../common/grpc/messages.ts";
import { serviceError } from "../../common/grpc/service-error.ts";
import type { Calibration, Engine, ModelChoice } from "../engine/engine.ts";
import { leaving, type Requests } from "./requests.ts";
import { imagesFrom, modelsOf, responseTo, statisticsFrom } from "./translate.ts";

/** Batches of one stream that are in the engine at once: one computes, others are read and answered meanwhile. */
const batchesPerStream = 4;

type Asks = (choice: ModelChoice, images: number) => void;

const countImages = (images: ImagesMessage | null): number => images?.shape[0] ?? 0;

/** Aborts when the client gives up or its deadline passes. */
const signalOf = (call: { on(event: "cancelled", listener: () => void): unknown }): AbortSignal => {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort());
  return controller.signal;
};

const predictWith = async (
  engine: Engine,
  request: PredictRequest,
  signal: AbortSignal,
  asks: Asks,
): Promise<Sent<PredictResponse>> => {
  const { model, cell_type: cellType, plates } = request;
  asks({ model, cellType }, countImages(request.images));
  const statistics = statisticsFrom(request.statistics);
  const images = imagesFrom(request.images);
  return responseTo(request, await engine.predict({ model, cellType }, images, statistics, plates, signal));
};

const estimateWith = async (
  engine: Engine,
  requests: AsyncIterable<CalibrateRequest>,
  signal: AbortSignal,
  asks: Asks,
): Promise<Sent<CalibrateResponse>> => {
  let calibration: Calibration | undefined;
  for await (const { model, cell_type: cellType, source_weight: weight, images, estimate } of requests) {
    asks({ model, cellType }, countImages(images));
    calibration ??= engine.calibrate({ model, cellType }, weight, signal);
    await calibration.add(estimate ?? imagesFrom(images));
  }
  if (calibration === undefined) {
    throw new PlatestreamError("invalid-request", "statistics rest on at least one image; none was sent");
  }
  const { id, data, images, model } = await calibration.finish();
  return {
    id,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    images,
    model_version: model.version,
  };
};

/** When the requests drain, streams take no more batches; those that they took are answered. */
export const workerService = (engine: Engine, requests: Requests): UntypedServiceImplementation => {
  const { draining } = requests;
  const predict = async (
    call: ServerUnaryCall<PredictRequest, Sent<PredictResponse>>,
    answer: sendUnaryData<Sent<PredictResponse>>,
  ): Promise<void> => {
    try {
      const signal = signalOf(call);
      const work = (asks: Asks) => predictWith(engine, call.request, signal, asks);
      answer(null, await requests.run("Predict", call.metadata, work));
    } catch (thrown) {
      answer(serviceError(thrown));
    }
  };

  const predictStream = async (call: ServerDuplexStream<PredictRequest, Sent<PredictResponse>>): Promise<void> => {
    const signal = signalOf(call);
    const running = new Set<Promise<void>>();
    const write = (response: Sent<PredictResponse>): Promise<void> | undefined => {
      if (signal.aborted || call.write(response)) return undefined;
      return new Promise((resolve) => {
        const go = () => {
          call.off("drain", go);
          signal.removeEventListener("abort", go);
          resolve();
        };
        call.on("drain", go);
        signal.addEventListener("abort", go);
      });
    };
    const answer = async (request: PredictRequest): Promise<void> => {
      const work = (asks: Asks) => predictWith(engine, request, signal, asks);
      const result = requests.run("PredictStream", call.metadata, work);
      const response = await result.catch((thrown): Sent<PredictResponse> => {
        const { code, rawMessage: message } = PlatestreamError.from(thrown);
        return { id: request.id, error: { code, message } };
      });
      await write(response);
    };
    let over = false;
    const finish = async (error?: PlatestreamError): Promise<void> => {
      await Promise.all(running);
      if (over || signal.aborted) return;
      over = true;
      if (error === undefined) call.end();
      else call.emit("error", serviceError(error));
    };
    const onDraining = () => finish(leaving());
    draining.addEventListener("abort", onDraining);
    try {
      // A plain `for await` over the call would destroy it at the end, before the last answers are out.
      for await (const request of call.iterator({ destroyOnReturn: false })) {
        if (draining.aborted) break;
        const one = answer(request).finally(() => running.delete(one));
        running.add(one);
        if (running.size >= batchesPerStream) await Promise.race(running);
      }
      await finish();
    } catch (thrown) {
      await finish(PlatestreamError.from(thrown));
    } finally {
      draining.removeEventListener("abort", onDraining);
    }
  };

  const calibrate = async (
    call: ServerReadableStream<CalibrateRequest, Sent<CalibrateResponse>>,
    answer: sendUnaryData<Sent<CalibrateResponse>>,
  ): Promise<void> => {
    try {
      const signal = signalOf(call);
      const batches = call.iterator({ destroyOnReturn: false });
      const work = (asks: Asks) => estimateWith(engine, batches, signal, asks);
      answer(null, await requests.run("Calibrate", call.metadata, work));
    } catch (thrown) {
      answer(serviceError(thrown));
    }
  };

  const listModels = (_: ServerUnaryCall<object, ListModelsResponse>, answer: sendUnaryData<ListModelsResponse>) =>
    answer(null, modelsOf(engine));

  return { Predict: predict, PredictStream: predictStream, Calibrate: calibrate, ListModels: listModels };
};
