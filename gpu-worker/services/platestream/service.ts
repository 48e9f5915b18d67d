/** `platestream.v1.Worker`: the engine as Platestream's own messages ask for it. */

import { PlatestreamError } from "../../../common/errors.ts";
import type { GrpcService } from "../../../common/grpc/serve.ts";
import { serviceError } from "../../../common/grpc/service-error.ts";
import { signalOf, writeTo } from "../../../common/grpc/streams.ts";
import { describeChoice, fits, type ModelChoice } from "../../../common/inference.ts";
import type { ModelInfo } from "../../../common/model-info.ts";
import type { CalibrateRequest__Output } from "../../../proto/types/platestream/v1/CalibrateRequest.ts";
import type { CalibrateResponse } from "../../../proto/types/platestream/v1/CalibrateResponse.ts";
import type { Images__Output } from "../../../proto/types/platestream/v1/Images.ts";
import type { PredictRequest__Output } from "../../../proto/types/platestream/v1/PredictRequest.ts";
import type { PredictResponse } from "../../../proto/types/platestream/v1/PredictResponse.ts";
import type { WorkerHandlers } from "../../../proto/types/platestream/v1/Worker.ts";
import type { Calibration, Engine } from "../../engine/engine.ts";
import { type Asks, leaving, type Requests, refuseWhile } from "../requests.ts";
import type { ServiceParts } from "../service-parts.ts";
import { type KeptImages, keptImages } from "./kept-images.ts";
import { choiceFrom, imagesFrom, modelsOf, mostlyPixels, responseTo, statisticsFrom } from "./messages.ts";
import { openSharedFiles, type SharedFiles } from "./shared-pixels.ts";

/** Batches of one stream that are in the engine at once: one computes, others are read and answered meanwhile. */
const batchesPerStream = 4;

interface Worker {
  readonly engine: Engine;
  readonly kept: KeptImages;
  readonly files: SharedFiles;
}

const predictWith = async (
  { engine, kept, files }: Worker,
  request: PredictRequest__Output,
  signal: AbortSignal,
  asks: Asks,
): Promise<PredictResponse> => {
  const choice = choiceFrom(request);
  const statistics = statisticsFrom(request.statistics);
  const named = namedOnly(request.images);
  const { images, pixels } =
    named === undefined
      ? imagesFrom(request.images, request.plates, files)
      : { images: { ...kept.get(named), plates: request.plates }, pixels: undefined };
  asks(choice, images.shape[0], pixels);
  const transfer = named === undefined && mostlyPixels(images);
  const giveBack = pixels?.path === "shared-memory" ? files.giveBack : undefined;
  const prediction = await engine.predict(choice, images, statistics, {
    signal,
    transfer,
    ...(giveBack && { giveBack }),
  });
  if (named !== undefined) kept.drop(named);
  return responseTo(request, prediction);
};

const estimateWith = async (
  { engine, kept, files }: Worker,
  requests: AsyncIterable<CalibrateRequest__Output>,
  signal: AbortSignal,
  asks: Asks,
): Promise<CalibrateResponse> => {
  let calibration: Calibration | undefined;
  for await (const request of requests) {
    const choice = choiceFrom(request);
    asks(choice, request.images?.shape[0] ?? 0);
    calibration ??= engine.calibrate(choice, request.source_weight, signal);
    if (!fits(calibration.model, choice)) throw otherModel(calibration.model, choice);
    if (request.estimate !== null) await calibration.add(request.estimate);
    else {
      const { images, pixels } = imagesFrom(request.images, [], files);
      asks(choice, 0, pixels);
      const id = request.images?.id ?? "";
      await calibration.add(images, id === "" && mostlyPixels(images));
      if (id !== "") kept.keep(id, images);
    }
  }
  if (calibration === undefined) {
    throw new PlatestreamError("invalid-request", "statistics rest on at least one image; none was sent");
  }
  const { id, data, images } = await calibration.finish();
  return {
    id,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    images,
    model_version: calibration.model.version,
  };
};

/** The name of images whose pixels were sent before. */
const namedOnly = (images: Images__Output | null): string | undefined =>
  images !== null && images.id !== "" && images.pixels.byteLength === 0 && images.shared === null
    ? images.id
    : undefined;

const otherModel = ({ name, cellType }: ModelInfo, choice: ModelChoice): PlatestreamError =>
  new PlatestreamError(
    "invalid-request",
    `a calibration is of one network: its first message named ${name} ${cellType}, a later one a ${describeChoice(choice)}`,
  );

const cancelled = (): PlatestreamError => new PlatestreamError("cancelled", "the client gave up, or its time was over");

const rules = {
  Predict: { role: "predict" },
  PredictStream: { role: "predict", endless: true },
  Calibrate: { role: "predict" },
  ListModels: { role: "predict" },
  ShareMemory: { role: "predict", endless: true },
} as const;

export const platestreamService = ({ engine, requests, mostBytes, sharedMemory }: ServiceParts): GrpcService => ({
  name: "platestream.v1.Worker",
  proto: "platestream.proto",
  rules,
  implement: ({ draining }) =>
    handlers({ engine, kept: keptImages(), files: openSharedFiles(mostBytes, sharedMemory) }, requests, draining),
});

/** When the worker drains, streams take no more batches; those that they took are answered. */
const handlers = (worker: Worker, requests: Requests, draining: AbortSignal): WorkerHandlers => ({
  async Predict(call, answer) {
    try {
      const signal = signalOf(call);
      const work = (asks: Asks) => {
        refuseWhile(draining);
        return predictWith(worker, call.request, signal, asks);
      };
      answer(null, await requests.run("Predict", call.metadata, work));
    } catch (thrown) {
      answer(serviceError(thrown));
    }
  },

  async PredictStream(call) {
    const signal = signalOf(call);
    const running = new Set<Promise<void>>();
    const answer = async (request: PredictRequest__Output): Promise<void> => {
      const work = (asks: Asks) => predictWith(worker, request, signal, asks);
      const result = requests.run("PredictStream", call.metadata, work);
      const response = await result.catch((thrown): PredictResponse => {
        const { code, rawMessage: message } = PlatestreamError.from(thrown);
        return { id: request.id, error: { code, message } };
      });
      await writeTo(call, response, signal);
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
      refuseWhile(draining);
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
  },

  async Calibrate(call, answer) {
    try {
      const signal = signalOf(call);
      const batches = call.iterator({ destroyOnReturn: false });
      const work = (asks: Asks) => {
        refuseWhile(draining);
        return estimateWith(worker, batches, signal, asks).finally(() => {
          // Batches that do not come any more end their iterator, or break it with an error of Node's.
          if (signal.aborted) throw cancelled();
        });
      };
      answer(null, await requests.run("Calibrate", call.metadata, work));
    } catch (thrown) {
      answer(serviceError(thrown));
    }
  },

  ShareMemory(call) {
    try {
      refuseWhile(draining);
      const file = worker.files.open(call.request.name);
      const signal = signalOf(call);
      const end = () => {
        draining.removeEventListener("abort", end);
        file.close();
        if (!signal.aborted) call.end();
      };
      draining.addEventListener("abort", end);
      signal.addEventListener("abort", end);
      call.write({ beginning: file.beginning });
    } catch (thrown) {
      call.emit("error", serviceError(thrown));
    }
  },

  ListModels: (_, answer) => answer(null, modelsOf(worker.engine)),
});
