/** A worker of this project: `platestream.v1.Worker`. */
import { randomUUID } from "node:crypto";
import type { ClientWritableStream } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import { type ClientSecurity, plain } from "../../common/grpc/client-security.ts";
import { clientOf } from "../../common/grpc/protos.ts";
import {
  type CalibratedStatistics,
  fits,
  type Images,
  type ModelChoice,
  type Statistics,
} from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { sharedMemoryFolder } from "../../common/shared-memory.ts";
import type { CalibrateRequest } from "../../proto/types/platestream/v1/CalibrateRequest.ts";
import type { CalibrateResponse__Output } from "../../proto/types/platestream/v1/CalibrateResponse.ts";
import type { ListModelsResponse__Output } from "../../proto/types/platestream/v1/ListModelsResponse.ts";
import type { PredictResponse__Output } from "../../proto/types/platestream/v1/PredictResponse.ts";
import type { WorkerClient } from "../../proto/types/platestream/v1/Worker.ts";
import { callWorker, channelOptions, healthCheck } from "./grpc-calls.ts";
import {
  bytesOf,
  choiceMessage,
  imagesMessage,
  modelInfo,
  readFloats,
  statisticsMessage,
} from "./platestream-messages.ts";
import type { RemoteWorker, RequestOptions, WorkerInfo } from "./remote-worker.ts";
import { shareMemory } from "./share-memory.ts";
import type { PlacedPixels } from "./shared-pixels.ts";

export interface PlatestreamWorkerOptions {
  readonly security: ClientSecurity;
  /** Connections that requests take turns on. */
  readonly connections: number;
  /** Folder of shared memory for a worker on this host; undefined: pixels are always sent. */
  readonly sharedMemory: string | undefined;
}

/** One connection carries about 250 MB/s, two a third more. */
export const defaultPlatestreamWorker: PlatestreamWorkerOptions = {
  security: plain,
  connections: 2,
  sharedMemory: sharedMemoryFolder,
};

/** The worker at `host:port`. Connects when it is first asked. Throws "invalid-config" where a token must not go there. */
export const platestreamWorker = (address: string, given: Partial<PlatestreamWorkerOptions> = {}): RemoteWorker => {
  const { security, connections, sharedMemory } = { ...defaultPlatestreamWorker, ...given };
  const sharing = shareMemory(sharedMemory);
  const Client = clientOf<WorkerClient>("platestream.proto", "platestream.v1.Worker");
  const { credentials, interceptors } = security.toServer(address);
  const clients = Array.from(
    { length: connections },
    () => new Client(address, credentials, { ...channelOptions, interceptors }),
  );
  const checkHealth = healthCheck(address, credentials, clients[0]!.getChannel());
  /** Ids of statistics that the worker has been given or has estimated. */
  const statisticsHeld = new Set<string>();
  /** Names of images that the worker was sent for a calibration, and keeps for their prediction. */
  const imagesHeld = new WeakMap<Images, string>();
  let models: readonly ModelInfo[] | undefined;
  let turn = 0;
  const client = (): WorkerClient => clients[turn++ % clients.length]!;

  const info = async (options: RequestOptions): Promise<WorkerInfo> => {
    const shared = sharing.ask(clients[0]!, options);
    await checkHealth(options);
    const listed = await callWorker<ListModelsResponse__Output>(address, options, (...rest) =>
      client().listModels({}, ...rest),
    );
    const { runtime, provider, best_batch: bestBatch } = listed;
    models = listed.models.map(modelInfo);
    await shared;
    return {
      models,
      runtime: `${runtime} ${provider}`.trim(),
      bestBatch,
      pixels: sharing.open ? "shared-memory" : "socket",
    };
  };

  /** The network of a choice, in a given version. */
  const find = async (choice: ModelChoice, version: string, options: RequestOptions): Promise<ModelInfo> => {
    const among = (known: readonly ModelInfo[]) =>
      known.find((model) => fits(model, choice) && model.version === version);
    const found = among(models ?? []) ?? among((await info(options)).models);
    if (found !== undefined) return found;
    throw new PlatestreamError(
      "internal",
      `worker ${address} answered with version ${version} of a network, which it does not list`,
    );
  };

  /** How pixels go to the worker: through shared memory where there is room, unless it said that it cannot read them. */
  const carry = (images: Images, inline: boolean): "inline" | PlacedPixels =>
    (inline ? undefined : sharing.put(bytesOf(images))) ?? "inline";

  /** Sends what the worker is thought to hold by name only, and once more in full where it does not. */
  const predict = async (choice: ModelChoice, images: Images, statistics: Statistics, left: () => RequestOptions) => {
    const send = async (withData: boolean, inline: boolean) => {
      const id = imagesHeld.get(images);
      const carried = id === undefined ? carry(images, inline) : "kept";
      const request = {
        ...choiceMessage(choice),
        images: imagesMessage(images, id, carried),
        plates: [...images.plates],
        statistics: statisticsMessage(statistics, withData),
        top: 0,
      };
      try {
        return await callWorker<PredictResponse__Output>(address, left(), (...rest) =>
          client().predict(request, ...rest),
        );
      } finally {
        if (typeof carried === "object") carried.release();
      }
    };
    let withData = statistics.kind === "calibrated" && !statisticsHeld.has(statistics.id);
    let inline = false;
    for (;;) {
      const byName = imagesHeld.has(images);
      try {
        const answer = await send(withData, inline);
        if (statistics.kind === "calibrated") statisticsHeld.add(statistics.id);
        imagesHeld.delete(images); // the worker keeps them for one prediction
        return answer;
      } catch (thrown) {
        const { code } = PlatestreamError.from(thrown);
        if (code === "unknown-statistics" && statistics.kind === "calibrated" && !withData) {
          statisticsHeld.delete(statistics.id);
          withData = true;
        } else if (code === "unknown-images" && byName) imagesHeld.delete(images);
        else if (code === "unknown-images" && !inline) {
          sharing.lost();
          inline = true;
        } else throw thrown;
      }
    }
  };

  const estimate = async (
    messages: Iterable<CalibrateRequest>,
    options: RequestOptions,
  ): Promise<Required<CalibratedStatistics>> => {
    const { id, data } = await callWorker<CalibrateResponse__Output>(address, options, (metadata, within, callback) => {
      const stream = client().calibrate(metadata, within, callback);
      sendAll(stream, messages).catch((error) => {
        callback(PlatestreamError.from(error));
        stream.cancel();
      });
      return stream;
    });
    statisticsHeld.add(id);
    return { kind: "calibrated", id, data: new Uint8Array(data) };
  };

  const calibrate: RemoteWorker["calibrate"] = async (choice, batches, sourceWeight, options) => {
    const named = batches.map((images) => ({ images, id: randomUUID() }));
    const send = async (inline: boolean) => {
      const placed: PlacedPixels[] = [];
      const messages = function* (): Generator<CalibrateRequest> {
        for (const { images, id } of named) {
          const carried = carry(images, inline);
          if (carried !== "inline") placed.push(carried);
          yield { ...choiceMessage(choice), images: imagesMessage(images, id, carried), source_weight: sourceWeight };
        }
      };
      try {
        return await estimate(messages(), options);
      } finally {
        for (const each of placed) each.release();
      }
    };
    const statistics = await send(false).catch((thrown) => {
      if (PlatestreamError.from(thrown).code !== "unknown-images") throw thrown;
      sharing.lost();
      return send(true);
    });
    for (const { images, id } of named) imagesHeld.set(images, id);
    return statistics;
  };

  return {
    address,
    info,
    async predict(choice, images, statistics, options) {
      const until = performance.now() + options.deadlineMs;
      const left = () => ({ ...options, deadlineMs: until - performance.now() });
      const answer = await predict(choice, images, statistics, left);
      return {
        model: await find(choice, answer.model_version, left()),
        statistics: answer.statistics_id,
        logits: readFloats(answer.logits),
        features: readFloats(answer.features),
      };
    },
    calibrate,
    combine: (choice, estimates, sourceWeight, options) =>
      estimate(
        estimates.map((each) => ({ ...choiceMessage(choice), estimate: each, source_weight: sourceWeight })),
        options,
      ),
    holds: (images) => imagesHeld.has(images),
    close() {
      sharing.close();
      for (const each of clients) each.close();
    },
  };
};

/** One batch at a time: grpc-js copies each when it is written. */
const sendAll = async (
  stream: ClientWritableStream<CalibrateRequest>,
  messages: Iterable<CalibrateRequest>,
): Promise<void> => {
  for (const message of messages) await new Promise<void>((sent) => stream.write(message, () => sent()));
  stream.end();
};
