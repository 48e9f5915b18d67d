/** Calls of a worker over gRPC as promises, with errors of ours that name the worker. */
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientUnaryCall,
  status as grpcStatus,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { type ErrorCode, PlatestreamError } from "../../common/errors.ts";
import { identityKey, writeIdentity } from "../../common/grpc/request-identity.ts";
import { errorOfService } from "../../common/grpc/service-error.ts";
import type { RequestOptions } from "./remote-worker.ts";

export const channelOptions: ChannelOptions = {
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

export type Callback<T> = (error: ServiceError | PlatestreamError | null, response?: T) => void;

/** Begins a call; `callback` gets its answer. */
type Start<T> = (metadata: Metadata, within: CallOptions, callback: Callback<T>) => { cancel(): void };

/** Runs a call within its deadline, and cancels it when the signal aborts. Errors name the worker at `address`. */
export const callWorker = <T>(
  address: string,
  { signal, deadlineMs, about }: RequestOptions,
  start: Start<T>,
): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled(signal));
    const metadata = new Metadata();
    if (about !== undefined) metadata.set(identityKey, writeIdentity(about));
    const running = start(metadata, { deadline: Date.now() + deadlineMs }, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (error === null) resolve(response as T);
      else reject(signal.aborted ? cancelled(signal) : translate(address, error));
    });
    const cancel = () => running.cancel();
    signal.addEventListener("abort", cancel);
  });

interface HealthClient {
  check(request: { service: string }, ...rest: Parameters<Start<{ status: string }>>): ClientUnaryCall;
}

/**
 * Throws "worker-unavailable" unless the worker says that it serves. One without the standard health service, or that
 * does not name the whole server in it, is taken as healthy.
 */
export const healthCheck = (
  address: string,
  credentials: ChannelCredentials,
  channel: ReturnType<Client["getChannel"]>,
): ((options: RequestOptions) => Promise<void>) => {
  const Health = makeGenericClientConstructor(healthService, "Health");
  const health = new Health(address, credentials, { channelOverride: channel }) as unknown as HealthClient;
  return async (options) => {
    const asked = callWorker<{ status: string }>(address, options, (...rest) => health.check({ service: "" }, ...rest));
    const { status } = await asked.catch((error: PlatestreamError) => {
      const code = (error.cause as ServiceError | undefined)?.code;
      if (code === grpcStatus.UNIMPLEMENTED || code === grpcStatus.NOT_FOUND) return { status: "SERVING" };
      throw error;
    });
    if (status === "SERVING") return;
    throw new PlatestreamError("worker-unavailable", `worker ${address} does not serve: its health is ${status}`);
  };
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
  const translated = errorOfService(`worker ${address}`, error, code);
  // Whoever cancelled, it was not this side.
  return translated.code === "cancelled"
    ? new PlatestreamError(code, translated.rawMessage, { cause: error })
    : translated;
};

const cancelled = (signal: AbortSignal): PlatestreamError =>
  new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason });
