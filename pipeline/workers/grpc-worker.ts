/** One worker over gRPC. */
import {
  type Channel,
  type ChannelOptions,
  type ClientUnaryCall,
  type ClientWritableStream,
  status as grpcStatus,
  loadPackageDefinition,
  Metadata,
  makeGenericClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { type ErrorCode, PlatestreamError } from "../../common/errors.ts";
import { type ClientSecurity, plain } from "../../common/grpc/client-security.ts";
import { loadProto } from "../../common/grpc/load-proto.ts";
import type {
  CalibrateRequest,
  CalibrateResponse,
  ListModelsResponse,
  PredictRequest,
  PredictResponse,
  Sent,
} from "../../common/grpc/messages.ts";
import { identityKey, type RequestIdentity, writeIdentity } from "../../common/grpc/request-identity.ts";
import { errorOfService } from "../../common/grpc/service-error.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { packBatch } from "./pack.ts";
import { modelInfo, readFloats, wireChoice, wireImages, wireStatistics } from "./wire.ts";
import type { ImageBatch, ModelChoice, Predictions, Statistics } from "./workers.ts";

export interface WorkerInfo {
  readonly models: readonly ModelInfo[];
  /** For instance `onnxruntime cpu`. */
  readonly runtime: string;
}

/** For one request. */
export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly about?: RequestIdentity;
}

/** All methods throw `PlatestreamError`s that name the worker's address. */
export interface GrpcWorker {
  readonly address: string;
  /** What the worker holds, asked anew. Throws "worker-unavailable" unless the worker says that it serves. */
  info(options: RequestOptions): Promise<WorkerInfo>;
  predict(model: ModelChoice, batch: ImageBatch, statistics: Statistics, options: RequestOptions): Promise<Predictions>;
  calibrate(
    model: ModelChoice,
    batches: readonly ImageBatch[],
    sourceWeight: number,
    options: RequestOptions,
  ): Promise<Extract<Statistics, { kind: "calibrated" }>>;
  /** Calibrates with what `calibrate` has made of single batches, with `sourceWeight` 0: the same as with the batches. */
  combine(
    model: ModelChoice,
    estimates: readonly BatchEstimate[],
    sourceWeight: number,
    options: RequestOptions,
  ): Promise<Extract<Statistics, { kind: "calibrated" }>>;
  close(): void;
}

export interface BatchEstimate {
  readonly data: Uint8Array;
  readonly images: number;
}

const channelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // Channels of equal options share a connection otherwise.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 5_000,
  // The pool retries, on another worker; grpc would keep a copy of every request.
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
};

/** One connection carries about 250 MB/s, two a third more. */
const connections = 2;

interface CallOptions {
  readonly deadline: number;
}
type Answer<T> = (error: ServiceError | PlatestreamError | null, response?: T) => void;
type Unary<Q, R> = (request: Q, metadata: Metadata, options: CallOptions, answer: Answer<R>) => ClientUnaryCall;

interface WorkerClient {
  predict: Unary<Sent<PredictRequest>, PredictResponse>;
  listModels: Unary<object, ListModelsResponse>;
  calibrate(
    metadata: Metadata,
    options: CallOptions,
    answer: Answer<CalibrateResponse>,
  ): ClientWritableStream<Sent<CalibrateRequest>>;
  getChannel(): Channel;
  close(): void;
}

interface HealthClient {
  check: Unary<{ service: string }, { status: string }>;
}

/** The worker at `host:port`. Connects when it is first asked. Throws "invalid-config" where a token must not go there. */
export const grpcWorker = (address: string, security: ClientSecurity = plain): GrpcWorker => {
  const { platestream } = loadPackageDefinition(loadProto()) as unknown as {
    platestream: { v1: { Worker: ServiceClientConstructor } };
  };
  const Health = makeGenericClientConstructor(healthService, "Health");
  const { credentials, interceptors } = security.toServer(address);
  const clients = Array.from(
    { length: connections },
    () =>
      new platestream.v1.Worker(address, credentials, { ...channelOptions, interceptors }) as unknown as WorkerClient,
  );
  const health = new Health(address, credentials, {
    channelOverride: clients[0]!.getChannel(),
  }) as unknown as HealthClient;
  /** Ids of statistics that the worker has been given or has estimated. */
  const held = new Set<string>();
  let models: readonly ModelInfo[] | undefined;
  let turn = 0;
  const client = (): WorkerClient => clients[turn++ % clients.length]!;

  const call = <T>({ signal }: RequestOptions, start: (answer: Answer<T>) => { cancel(): void }): Promise<T> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(cancelled(signal));
      const running = start((error, response) => {
        signal.removeEventListener("abort", cancel);
        if (error === null) resolve(response as T);
        else reject(signal.aborted ? cancelled(signal) : translate(address, error));
      });
      const cancel = () => running.cancel();
      signal.addEventListener("abort", cancel);
    });
  const unary = <Q, R>(method: Unary<Q, R>, on: object, request: Q, options: RequestOptions): Promise<R> =>
    call(options, (answer) => method.call(on, request, metadataOf(options), within(options), answer));

  const info = async (options: RequestOptions): Promise<WorkerInfo> => {
    await checkHealth(address, () => unary(health.check, health, { service: "" }, options));
    const on = client();
    const answer = await unary(on.listModels, on, {}, options);
    models = answer.models.map(modelInfo);
    return { models, runtime: `${answer.runtime} ${answer.provider}`.trim() };
  };

  /** The network that a choice means: the worker's only one where the choice is silent. */
  const find = async (
    choice: ModelChoice,
    options: RequestOptions,
    version?: string,
  ): Promise<ModelInfo | undefined> => {
    const among = (known: readonly ModelInfo[]) =>
      known.find(
        (model) =>
          (choice.name === undefined || choice.name === model.name) &&
          (choice.cellType === "" || choice.cellType === model.cellType) &&
          (version === undefined || version === model.version),
      );
    return (models && among(models)) ?? among((await info(options)).models);
  };

  const sendPrediction = async (
    request: Omit<Sent<PredictRequest>, "statistics">,
    statistics: Statistics,
    options: RequestOptions,
  ) => {
    const send = (withData: boolean) => {
      const on = client();
      return unary(on.predict, on, { ...request, statistics: wireStatistics(statistics, withData) }, options);
    };
    if (statistics.kind !== "calibrated" || !held.has(statistics.id)) return send(true);
    return send(false).catch((error: PlatestreamError) => {
      if (error.code !== "unknown-statistics") throw error;
      held.delete(statistics.id);
      return send(true);
    });
  };

  const estimate = async <T>(
    batches: readonly T[],
    options: RequestOptions,
    message: (batch: T) => Sent<CalibrateRequest>,
  ): Promise<Extract<Statistics, { kind: "calibrated" }>> => {
    const { id, data } = await call<CalibrateResponse>(options, (answer) => {
      const stream = client().calibrate(metadataOf(options), within(options), answer);
      sendAll(stream, batches, message).catch((error) => {
        answer(PlatestreamError.from(error));
        stream.cancel();
      });
      return stream;
    });
    held.add(id);
    return { kind: "calibrated", id, data: new Uint8Array(data) };
  };

  return {
    address,
    info,
    async predict(choice, batch, statistics, options) {
      const until = Date.now() + options.deadlineMs;
      const left = () => ({ ...options, deadlineMs: until - Date.now() });
      const wanted = await find(choice, left());
      const request = {
        ...wireChoice(choice),
        images: wireImages(packBatch(batch)),
        plates: wanted !== undefined && wanted.plates > 0 ? batch.plates : [],
        top: 1,
      };
      const answer = await sendPrediction(request, statistics, left());
      if (statistics.kind === "calibrated") held.add(statistics.id);
      const model = await find(choice, left(), answer.model_version);
      if (model === undefined) {
        throw new PlatestreamError(
          "internal",
          `worker ${address} answered with version ${answer.model_version} of ${answer.model}, which it does not list`,
        );
      }
      return {
        model,
        statistics: answer.statistics_id,
        logits: readFloats(answer.logits),
        features: readFloats(answer.features),
      };
    },
    calibrate: (choice, batches, sourceWeight, options) =>
      estimate(batches, options, (batch) => ({
        ...wireChoice(choice),
        images: wireImages(packBatch(batch)),
        source_weight: sourceWeight,
      })),
    combine: (choice, estimates, sourceWeight, options) =>
      estimate(estimates, options, ({ data, images }) => ({
        ...wireChoice(choice),
        estimate: { data, images },
        source_weight: sourceWeight,
      })),
    close() {
      for (const each of clients) each.close();
    },
  };
};

const metadataOf = ({ about }: RequestOptions): Metadata => {
  const metadata = new Metadata();
  if (about !== undefined) metadata.set(identityKey, writeIdentity(about));
  return metadata;
};

const within = ({ deadlineMs }: RequestOptions): CallOptions => ({ deadline: Date.now() + deadlineMs });

/** One batch at a time: the next is packed when the one before it is on its way. */
const sendAll = async <T>(
  stream: ClientWritableStream<Sent<CalibrateRequest>>,
  batches: readonly T[],
  message: (batch: T) => Sent<CalibrateRequest>,
): Promise<void> => {
  for (const batch of batches) {
    const next = message(batch);
    await new Promise<void>((sent) => stream.write(next, () => sent()));
  }
  stream.end();
};

/** A worker without the standard health service, or one that does not name the whole server in it, is taken as healthy. */
const checkHealth = async (address: string, check: () => Promise<{ status: string }>): Promise<void> => {
  const answer = await check().catch((error: PlatestreamError) => {
    const code = (error.cause as ServiceError | undefined)?.code;
    if (code === grpcStatus.UNIMPLEMENTED || code === grpcStatus.NOT_FOUND) return { status: "SERVING" };
    throw error;
  });
  if (answer.status === "SERVING") return;
  throw new PlatestreamError("worker-unavailable", `worker ${address} does not serve: its health is ${answer.status}`);
};

const codeOfStatus: Partial<Record<number, ErrorCode>> = {
  [grpcStatus.CANCELLED]: "worker-unavailable",
  [grpcStatus.INVALID_ARGUMENT]: "invalid-request",
  [grpcStatus.DEADLINE_EXCEEDED]: "deadline",
  [grpcStatus.NOT_FOUND]: "unknown-model",
  [grpcStatus.RESOURCE_EXHAUSTED]: "too-large",
  [grpcStatus.FAILED_PRECONDITION]: "invalid-model",
  [grpcStatus.UNIMPLEMENTED]: "worker-unavailable",
  [grpcStatus.UNAVAILABLE]: "worker-unavailable",
  [grpcStatus.UNAUTHENTICATED]: "unauthenticated",
  [grpcStatus.PERMISSION_DENIED]: "permission-denied",
};

/** The worker's own code where it sent one, else what the gRPC status comes closest to. */
const translate = (address: string, error: ServiceError | PlatestreamError): PlatestreamError => {
  if (error instanceof PlatestreamError) return error;
  const code = codeOfStatus[error.code] ?? "internal";
  const answer = errorOfService(`worker ${address}`, error, code);
  // Whoever cancelled, it was not this side.
  return answer.code === "cancelled" ? new PlatestreamError(code, answer.rawMessage, { cause: error }) : answer;
};

const cancelled = (signal: AbortSignal): PlatestreamError =>
  new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason });
