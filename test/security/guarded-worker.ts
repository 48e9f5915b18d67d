/** A worker's real server on an engine that computes nothing, and clients for it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type Client,
  type ClientUnaryCall,
  loadPackageDefinition,
  makeGenericClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthService } from "grpc-health-check";
import { PlatestreamError } from "../../common/errors.ts";
import { type ClientSecurityOptions, readClientSecurity } from "../../common/grpc/client-security.ts";
import { clientOf as clientOfService } from "../../common/grpc/protos.ts";
import { readServerSecurity, type ServerSecurityOptions } from "../../common/grpc/server-security.ts";
import { packageFile } from "../../common/package-file.ts";
import { newToken, type Role } from "../../common/security/tokens.ts";
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import type { FinishedRequest } from "../../gpu-worker/services/requests.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import type { WorkerClient } from "../../proto/types/platestream/v1/Worker.ts";
import { idleEngine } from "../gpu-worker/idle-engine.ts";
import { temporaryFolder } from "../kit/experiment.ts";

export const limits = { maxMessage: 1, maxStreams: 100, maxCalls: 100, maxCallTime: 60, maxSilence: 60 };

export interface GuardedWorker {
  readonly address: string;
  /** Calls that were not let in. */
  readonly refused: readonly FinishedRequest[];
  /** Predictions that wait. */
  readonly waiting: number;
  /** How many predictions waited at a time, at most. */
  readonly peak: number;
  /** Predictions whose caller is gone. */
  readonly aborted: number;
}

/** Its predictions wait until their callers give up. */
export const startGuardedWorker = async (
  t: TestContext,
  options: Partial<ServerSecurityOptions> = {},
  listen = "127.0.0.1:0",
): Promise<GuardedWorker> => {
  let [waiting, peak, aborted] = [0, 0, 0];
  const engine: Engine = {
    ...idleEngine,
    predict: (_choice, _images, _statistics, { signal } = {}) =>
      new Promise((_, reject) => {
        waiting += 1;
        peak = Math.max(peak, waiting);
        signal!.addEventListener("abort", () => {
          waiting -= 1;
          aborted += 1;
          reject(new PlatestreamError("cancelled", "the request was cancelled"));
        });
      }),
    calibrate: () => {
      throw new Error("not used");
    },
  };
  const security = await readServerSecurity({ ...limits, ...options }, () => undefined);
  const refused: FinishedRequest[] = [];
  const observe = (request: FinishedRequest) => void (request.from === undefined || refused.push(request));
  const server = await startServer(engine, { listen, security, observe });
  t.after(() => server.close(100));
  return {
    address: server.address,
    refused,
    get waiting() {
      return waiting;
    },
    get peak() {
      return peak;
    },
    get aborted() {
      return aborted;
    },
  };
};

export type Ask = (request: object, signal?: AbortSignal) => Promise<unknown>;

export interface GuardedClient {
  readonly listModels: Ask;
  readonly predict: Ask;
  /** Opens a stream, which one request or nothing is sent on; rejects with how it ends. */
  readonly streamEnds: (request?: object) => Promise<void>;
  readonly health: Ask;
  /** Resolves to the names of the services. */
  readonly reflect: () => Promise<string[]>;
}

export const clientOf = async (
  t: TestContext,
  address: string,
  options: ClientSecurityOptions = {},
): Promise<GuardedClient> => {
  const Worker = clientOfService<WorkerClient>("platestream.proto", "platestream.v1.Worker");
  const { credentials, interceptors } = (await readClientSecurity(options, {})).toServer(address);
  // A connection of its own.
  const channel = { interceptors, "grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0 };
  const worker = new Worker(address, credentials, channel);
  const health = new (makeGenericClientConstructor(healthService, "Health"))(address, credentials, channel);
  const streamEnds = (request?: object) =>
    new Promise<void>((resolve, reject) => {
      const stream = worker.PredictStream();
      if (request !== undefined) stream.write(request);
      stream.on("error", reject);
      stream.on("end", resolve);
      stream.resume();
    });
  const { grpc } = loadPackageDefinition(
    loadSync(packageFile("node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto")),
  ) as unknown as { grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } } };
  const reflection = new grpc.reflection.v1.ServerReflection(address, credentials, channel);
  const reflect = () =>
    new Promise<string[]>((resolve, reject) => {
      const call = reflection.ServerReflectionInfo!();
      call.on("error", reject);
      call.on(
        "data",
        ({ listServicesResponse: { service } }: { listServicesResponse: { service: { name: string }[] } }) =>
          resolve(service.map(({ name }) => name)),
      );
      call.end({ listServices: "" });
    });
  const ask =
    (client: Client, method: string): Ask =>
    (request, signal) =>
      new Promise((resolve, reject) => {
        const start = (client as unknown as Record<string, (...all: unknown[]) => ClientUnaryCall>)[method]!;
        const answer = (error: ServiceError | null, response: unknown) =>
          error === null ? resolve(response) : reject(error);
        const call = start.call(client, request, { deadline: Date.now() + 10_000 }, answer);
        signal?.addEventListener("abort", () => call.cancel());
      });
  t.after(() => {
    for (const client of [worker, health, reflection]) client.close();
  });
  return {
    listModels: ask(worker, "ListModels"),
    predict: ask(worker, "Predict"),
    streamEnds,
    health: ask(health, "Check"),
    reflect,
  };
};

export const onePixel = {
  images: { pixels: Buffer.alloc(1), type: "UINT8", shape: [1, 1, 1, 1], scale: [], offset: [] },
};

/** A token file with one token of every role, and a file with each token. */
export const writeTokens = async (t: TestContext): Promise<{ file: string; tokenOf(role: Role): string }> => {
  const folder = await temporaryFolder(t);
  const entries = [];
  for (const role of ["predict", "subscribe", "submit"] as const) {
    const { token, entry } = newToken({ name: `the ${role} client`, roles: [role] });
    entries.push(entry);
    await writeFile(join(folder, role), `${token}\n`);
  }
  const file = join(folder, "tokens.json");
  await writeFile(file, JSON.stringify(entries));
  return { file, tokenOf: (role) => join(folder, role) };
};
