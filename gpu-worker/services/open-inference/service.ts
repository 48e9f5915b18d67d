/** `inference.GRPCInferenceService`: the engine as stock clients of the Open Inference Protocol ask for it. */
import { PlatestreamError } from "../../../common/errors.ts";
import type { MethodRule } from "../../../common/grpc/guard.ts";
import type { GrpcService } from "../../../common/grpc/serve.ts";
import { serviceError } from "../../../common/grpc/service-error.ts";
import { signalOf, writeTo } from "../../../common/grpc/streams.ts";
import type { GRPCInferenceServiceHandlers } from "../../../proto/types/inference/GRPCInferenceService.ts";
import type { ModelInferRequest__Output } from "../../../proto/types/inference/ModelInferRequest.ts";
import type { ModelStreamInferResponse } from "../../../proto/types/inference/ModelStreamInferResponse.ts";
import type { Engine } from "../../engine/engine.ts";
import { leaving, type Requests, refuseWhile } from "../requests.ts";
import type { ServiceParts } from "../service-parts.ts";
import type { InferenceCounts } from "./counts.ts";
import { infer } from "./infer.ts";
import { configOf, findModel, metadataOf, servedModels, version } from "./models.ts";
import { openSharedMemory, type SharedMemory } from "./shared-memory.ts";

/** Those of the protocol's extensions that are served, by Triton's names. */
const extensions = [
  "classification",
  "model_configuration",
  "system_shared_memory",
  "binary_tensor_data",
  "parameters",
  "statistics",
];

/** Requests of one stream that are in the engine at once. */
const requestsPerStream = 4;

/** What is not served, and what to do instead. */
const notServed = {
  RepositoryModelLoad: "a worker serves the bundles that it was started with; start another one with --model",
  RepositoryModelUnload: "a worker serves its bundles until it ends; end it, and start one without the bundle",
  CudaSharedMemoryRegister: "shared memory of a GPU is not taken; send the tensors, or use system shared memory",
  TraceSetting: "requests are not traced; --log-level debug logs each of them, and --metrics-listen counts them",
  LogSettings: "what is logged is chosen when the worker starts, by --log-level and --log-format",
} as const;

const asked: MethodRule = { role: "predict" };

const rules: Record<keyof GRPCInferenceServiceHandlers & string, MethodRule> = {
  ServerLive: asked,
  ServerReady: asked,
  ModelReady: asked,
  ServerMetadata: asked,
  ModelMetadata: asked,
  ModelConfig: asked,
  ModelStatistics: asked,
  ModelInfer: asked,
  ModelStreamInfer: { role: "predict", endless: true },
  RepositoryIndex: asked,
  RepositoryModelLoad: asked,
  RepositoryModelUnload: asked,
  SystemSharedMemoryStatus: asked,
  SystemSharedMemoryRegister: asked,
  SystemSharedMemoryUnregister: asked,
  CudaSharedMemoryStatus: asked,
  CudaSharedMemoryRegister: asked,
  CudaSharedMemoryUnregister: asked,
  TraceSetting: asked,
  LogSettings: asked,
};

export const openInferenceService = ({ engine, requests, counts, sharedMemory }: ServiceParts): GrpcService => ({
  name: "inference.GRPCInferenceService",
  proto: "open_inference.proto",
  rules,
  implement: ({ draining }) => handlers(engine, requests, counts, openSharedMemory(sharedMemory), draining),
});

type Reply<T> = (error: ReturnType<typeof serviceError> | null, value?: T) => void;

/** Answers with what `work` returns, or with what it throws. */
const answerWith = <T>(answer: Reply<T>, work: () => T): void => {
  try {
    answer(null, work());
  } catch (thrown) {
    answer(serviceError(thrown));
  }
};

const handlers = (
  engine: Engine,
  requests: Requests,
  counts: InferenceCounts,
  memory: SharedMemory,
  draining: AbortSignal,
): GRPCInferenceServiceHandlers => {
  const refuse = (method: keyof typeof notServed) => (_: unknown, answer: Reply<never>) =>
    answer(serviceError(new PlatestreamError("not-served", `${method} is not served here: ${notServed[method]}`)));

  const inferOnce = (
    method: string,
    request: ModelInferRequest__Output,
    call:
      | Parameters<GRPCInferenceServiceHandlers["ModelStreamInfer"]>[0]
      | Parameters<GRPCInferenceServiceHandlers["ModelInfer"]>[0],
    signal: AbortSignal,
  ) => {
    const started = performance.now();
    const ended = (failed: boolean) => {
      const model = servedModels(engine).find(({ name }) => name === request.model_name);
      if (model !== undefined) counts.request(model, performance.now() - started, failed);
    };
    return requests
      .run(method, call.metadata, async (asks) => {
        refuseWhile(draining);
        return infer(request, { engine, memory, signal, asks });
      })
      .then(
        (response) => {
          ended(false);
          return response;
        },
        (thrown) => {
          ended(true);
          throw thrown;
        },
      );
  };

  return {
    ServerLive: (_, answer) => answer(null, { live: true }),
    ServerReady: (_, answer) => answer(null, { ready: !draining.aborted }),
    ModelReady: ({ request }, answer) =>
      answerWith(answer, () => {
        findModel(engine, request.name, request.version);
        return { ready: !draining.aborted };
      }),
    ServerMetadata: (_, answer) => answer(null, { name: "platestream", version: "2", extensions }),
    ModelMetadata: ({ request }, answer) =>
      answerWith(answer, () => metadataOf(findModel(engine, request.name, request.version))),
    ModelConfig: ({ request }, answer) =>
      answerWith(answer, () => ({
        config: configOf(findModel(engine, request.name, request.version), engine.maxBatch),
      })),
    ModelStatistics: ({ request }, answer) =>
      answerWith(answer, () => ({
        model_stats:
          request.name === ""
            ? servedModels(engine).map(counts.of)
            : [counts.of(findModel(engine, request.name, request.version))],
      })),
    RepositoryIndex: (_, answer) =>
      answer(null, { models: servedModels(engine).map(({ name }) => ({ name, version, state: "READY", reason: "" })) }),

    ModelInfer(call, answer) {
      inferOnce("ModelInfer", call.request, call, signalOf(call)).then(
        (response) => answer(null, response),
        (thrown) => answer(serviceError(thrown)),
      );
    },

    async ModelStreamInfer(call) {
      const signal = signalOf(call);
      const running = new Set<Promise<void>>();
      // Triton's clients may ask that the first failure ends the stream, with its status.
      const endsOnError = call.metadata.get("triton_grpc_error")[0]?.toString() === "true";
      let failure: PlatestreamError | undefined;
      const one = async (request: ModelInferRequest__Output): Promise<void> => {
        const answer = inferOnce("ModelStreamInfer", request, call, signal).then(
          (infer_response): ModelStreamInferResponse => ({ infer_response }),
          (thrown): ModelStreamInferResponse => {
            const error = PlatestreamError.from(thrown);
            if (endsOnError) failure ??= error;
            return { error_message: error.rawMessage, infer_response: { id: request.id } };
          },
        );
        const response = await answer;
        if (failure === undefined) await writeTo(call, response, signal);
      };
      const finish = async (error?: PlatestreamError): Promise<void> => {
        await Promise.all(running);
        const ending = failure ?? error;
        if (signal.aborted || call.writableEnded || call.destroyed) return;
        if (ending === undefined) call.end();
        else call.emit("error", serviceError(ending));
      };
      const onDraining = () => void finish(leaving());
      draining.addEventListener("abort", onDraining);
      try {
        refuseWhile(draining);
        for await (const request of call.iterator({ destroyOnReturn: false })) {
          if (draining.aborted || failure !== undefined) break;
          const work = one(request).finally(() => running.delete(work));
          running.add(work);
          if (running.size >= requestsPerStream) await Promise.race(running);
        }
        await finish();
      } catch (thrown) {
        await finish(PlatestreamError.from(thrown));
      } finally {
        draining.removeEventListener("abort", onDraining);
      }
    },

    SystemSharedMemoryStatus: ({ request }, answer) =>
      answerWith(answer, () => ({
        regions: Object.fromEntries(
          memory
            .all()
            .filter(({ name }) => request.name === "" || name === request.name)
            .map((region) => [region.name, { ...region }]),
        ),
      })),
    SystemSharedMemoryRegister: (call, answer) =>
      answerWith(answer, () => {
        memory.register(call.request, call.getPeer());
        return {};
      }),
    SystemSharedMemoryUnregister: ({ request }, answer) =>
      answerWith(answer, () => {
        memory.unregister(request.name);
        return {};
      }),
    CudaSharedMemoryStatus: (_, answer) => answer(null, { regions: {} }),
    CudaSharedMemoryUnregister: (_, answer) => answer(null, {}),
    CudaSharedMemoryRegister: refuse("CudaSharedMemoryRegister"),
    RepositoryModelLoad: refuse("RepositoryModelLoad"),
    RepositoryModelUnload: refuse("RepositoryModelUnload"),
    TraceSetting: refuse("TraceSetting"),
    LogSettings: refuse("LogSettings"),
  };
};
