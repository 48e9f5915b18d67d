/** A client of a worker or a results service that may send what no well-behaved client would. */
import {
  type Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadProtos } from "../../common/grpc/protos.ts";
import type { CalibrateResponse__Output as CalibrateResponse } from "../../proto/types/platestream/v1/CalibrateResponse.ts";
import type { ListModelsResponse__Output as ListModelsResponse } from "../../proto/types/platestream/v1/ListModelsResponse.ts";
import type { PredictResponse__Output as PredictResponse } from "../../proto/types/platestream/v1/PredictResponse.ts";
import { clear, crashed, hung, unclear, type Verdict } from "./verdict.ts";

/** How a call ended. */
export interface Answer<T = unknown> {
  /** Of gRPC, for instance INVALID_ARGUMENT; OK where there is a response. */
  readonly status: string;
  /** Of ours, for instance invalid-request. */
  readonly code: string;
  readonly message: string;
  readonly response?: T;
}

export interface AttackClient {
  predict(request: object): Promise<Answer<PredictResponse>>;
  calibrate(requests: readonly object[]): Promise<Answer<CalibrateResponse>>;
  listModels(metadata?: Readonly<Record<string, string>>): Promise<Answer<ListModelsResponse>>;
  /** Sends bytes in place of a message. */
  raw(path: string, bytes: Uint8Array): Promise<Answer>;
  /** Sends an empty message to a method that streams, and resolves to the status it ended with within so long. */
  watch(path: string, milliseconds: number): Promise<string | undefined>;
  /** Opens as many streams, which nothing is sent on. */
  openStreams(count: number): void;
  close(): void;
}

const names = [
  ..."OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS".split(" "),
  ..."PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE".split(" "),
  ..."UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split(" "),
];

interface Failure {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata;
}

type Done = (error: Failure | null, response?: unknown) => void;

export const attackClient = (address: string, patienceMs = 15_000): AttackClient => {
  const { platestream } = loadPackageDefinition(loadProtos("platestream.proto")) as unknown as {
    platestream: { v1: { Worker: ServiceClientConstructor } };
  };
  const client = new platestream.v1.Worker(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  const deadline = () => ({ deadline: Date.now() + patienceMs });
  const ask = <T>(start: (done: Done) => void): Promise<Answer<T>> =>
    new Promise((resolve) => {
      start((error, response) => {
        if (error === null) return resolve({ status: "OK", code: "", message: "", response: response as T });
        const code = String(error.metadata?.get("platestream-code")[0] ?? "");
        resolve({ status: names[error.code] ?? String(error.code), code, message: error.details });
      });
    });
  const call = (name: string) =>
    (client as unknown as Record<string, (...all: unknown[]) => { write(message: object): void; end(): void }>)[
      name
    ]!.bind(client);
  return {
    predict: (request) => ask((done) => call("Predict")(request, deadline(), done)),
    calibrate: (requests) =>
      ask((done) => {
        const stream = call("Calibrate")(deadline(), done);
        for (const each of requests) stream.write(each);
        stream.end();
      }),
    listModels: (headers = {}) =>
      ask((done) => {
        const metadata = new Metadata();
        for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
        call("ListModels")({}, metadata, deadline(), done);
      }),
    raw: (path, bytes) =>
      ask((done) => {
        const same = (value: Uint8Array) => Buffer.from(value);
        (client as Client).makeUnaryRequest(path, same, same, bytes, new Metadata(), deadline(), done as never);
      }),
    watch: (path, milliseconds) =>
      new Promise((resolve) => {
        const same = (value: Uint8Array) => Buffer.from(value);
        const end = { deadline: Date.now() + 60_000 };
        const stream = (client as Client).makeServerStreamRequest(
          path,
          same,
          same,
          Buffer.alloc(0),
          new Metadata(),
          end,
        );
        const patience = setTimeout(() => settle(undefined), milliseconds);
        const settle = (status: string | undefined) => {
          clearTimeout(patience);
          resolve(status);
          stream.cancel();
        };
        stream.on("error", ({ code }: Failure) => settle(names[code]));
        stream.resume();
      }),
    openStreams(count) {
      for (let index = 0; index < count; index++) {
        const stream = call("PredictStream")() as unknown as NodeJS.ReadableStream;
        stream.on("error", () => undefined);
        stream.resume();
      }
    },
    close: () => client.close(),
  };
};

/** Judges a call that must be refused: with this status, in words that name what is wrong. */
export const answered = ({ status, code, message }: Answer, wanted: string, ...says: readonly RegExp[]): Verdict => {
  const now = `${status}${code === "" ? "" : ` (${code})`}: ${message.replaceAll(/\s+/g, " ").slice(0, 300)}`;
  if (status === "DEADLINE_EXCEEDED") return hung(now);
  if (status === "UNAVAILABLE" && /ECONNREFUSED|dropped|reset/.test(message)) return crashed(now);
  const missing = says.filter((each) => !each.test(message));
  return status === wanted && missing.length === 0 ? clear(now) : unclear(now);
};
