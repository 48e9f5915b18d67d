/** The calls that a run makes of a server of the Open Inference Protocol, about the models of one network. */
import { PlatestreamError } from "../../common/errors.ts";
import { type ExportedNetwork, type ExportedTask, exportedName } from "../../common/exported-network.ts";
import { type ClientSecurity, plain } from "../../common/grpc/client-security.ts";
import { clientOf } from "../../common/grpc/protos.ts";
import type { GRPCInferenceServiceClient } from "../../proto/types/inference/GRPCInferenceService.ts";
import type { ModelInferResponse__Output } from "../../proto/types/inference/ModelInferResponse.ts";
import type { ModelMetadataResponse__Output } from "../../proto/types/inference/ModelMetadataResponse.ts";
import type { ModelReadyResponse__Output } from "../../proto/types/inference/ModelReadyResponse.ts";
import type { ServerMetadataResponse__Output } from "../../proto/types/inference/ServerMetadataResponse.ts";
import { callWorker, channelOptions } from "./grpc-calls.ts";
import { checkModel, type PixelDatatype } from "./open-inference-models.ts";
import { answeredTensors, inferMessage, type Tensor } from "./open-inference-tensors.ts";
import type { RequestOptions } from "./remote-worker.ts";

export interface OpenInferenceOptions {
  readonly security: ClientSecurity;
  /** Connections that requests take turns on. */
  readonly connections: number;
}

const defaultOpenInference: OpenInferenceOptions = { security: plain, connections: 2 };

export type Answer = ReturnType<typeof answeredTensors>;

/** All methods throw `PlatestreamError`s that name the address; "worker-unavailable" where a model is not served. */
export interface InferenceServer {
  /** As the address says it. */
  readonly modelName: string;
  /** Name and version of the program. */
  name(options: RequestOptions): Promise<string>;
  needReady(task: ExportedTask, options: RequestOptions): Promise<void>;
  /** Throws "invalid-model" where the server's model is not that of the network. */
  check(
    network: ExportedNetwork,
    task: Exclude<ExportedTask, "about">,
    options: RequestOptions,
  ): Promise<PixelDatatype>;
  infer(
    task: ExportedTask,
    inputs: readonly Tensor[],
    outputs: readonly string[],
    options: RequestOptions,
  ): Promise<Answer>;
  close(): void;
}

/** `address`: triton://HOST:PORT/MODEL. Connects when it is first asked. Throws "invalid-config" where it is none. */
export const inferenceServer = (address: string, given: Partial<OpenInferenceOptions> = {}): InferenceServer => {
  const { security, connections } = { ...defaultOpenInference, ...given };
  const { host, model: modelName } = readAddress(address);
  const Client = clientOf<GRPCInferenceServiceClient>("open_inference.proto", "inference.GRPCInferenceService");
  const { credentials, interceptors } = security.toServer(host);
  const clients = Array.from(
    { length: connections },
    () => new Client(host, credentials, { ...channelOptions, interceptors }),
  );
  let turn = 0;
  const client = () => clients[turn++ % clients.length]!;

  /** About one model. */
  const ask = <T>(name: string, options: RequestOptions, start: Parameters<typeof callWorker<T>>[2]): Promise<T> =>
    callWorker<T>(address, options, start).catch((thrown) => {
      throw unservedModel(thrown, address, name);
    });

  return {
    modelName,
    async name(options) {
      const { name, version } = await callWorker<ServerMetadataResponse__Output>(address, options, (...rest) =>
        client().serverMetadata({}, ...rest),
      );
      return `${name} ${version}`.trim();
    },
    async infer(task, inputs, outputs, options) {
      const name = exportedName(modelName, task);
      const request = inferMessage(name, inputs, outputs);
      const answer = await ask<ModelInferResponse__Output>(name, options, (...rest) =>
        client().modelInfer(request, ...rest),
      );
      return answeredTensors(answer, `worker ${address}`);
    },

    async needReady(task, options) {
      const name = exportedName(modelName, task);
      const { ready } = await ask<ModelReadyResponse__Output>(name, options, (...rest) =>
        client().modelReady({ name }, ...rest),
      );
      if (!ready) throw new PlatestreamError("worker-unavailable", `worker ${address}: its model ${name} is not ready`);
    },

    async check(network, task, options) {
      const name = exportedName(modelName, task);
      const metadata = await ask<ModelMetadataResponse__Output>(name, options, (...rest) =>
        client().modelMetadata({ name }, ...rest),
      );
      return checkModel(network, task, metadata, `worker ${address}`);
    },
    close() {
      for (const each of clients) each.close();
    },
  };
};

const readAddress = (address: string): { readonly host: string; readonly model: string } => {
  const [, host, model] = /^triton:\/\/([^/\s]+:\d+)\/([^/\s]+)$/.exec(address) ?? [];
  if (host !== undefined && model !== undefined) return { host, model };
  throw new PlatestreamError(
    "invalid-config",
    `a server of the Open Inference Protocol is triton://HOST:PORT/MODEL with the port of its gRPC, for instance triton://gpu1:8001/mine.HUVEC; got "${address}"`,
  );
};

/** Another server may hold the model, or this one later. */
const unservedModel = (thrown: unknown, address: string, name: string): PlatestreamError => {
  const error = PlatestreamError.from(thrown);
  if (error.code !== "unknown-model") return error;
  return new PlatestreamError(
    "worker-unavailable",
    `worker ${address} serves no model ${name}: it needs what \`pipeline model export --repository\` writes (${error.rawMessage})`,
    { cause: error },
  );
};
