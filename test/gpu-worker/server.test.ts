import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  makeGenericClientConstructor,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthService } from "grpc-health-check";
import { PlatestreamError } from "../../common/errors.ts";
import type { RunningServer } from "../../common/grpc/serve.ts";
import { defaultServerLimits, openToThisHost } from "../../common/grpc/server-security.ts";
import { packageFile } from "../../common/package-file.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../gpu-worker/engine/open-engine.ts";
import type { FinishedRequest } from "../../gpu-worker/services/requests.ts";
import { type ServerOptions, startServer } from "../../gpu-worker/services/server.ts";
import type { PredictResponse__Output as PredictResponse } from "../../proto/types/platestream/v1/PredictResponse.ts";
import { idleEngine } from "./idle-engine.ts";
import { assertClose } from "./parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "./tiny-bundle.ts";

type Json = Record<string, unknown>;

/** A client as any other language has it: made from the .proto file alone. */
const clientOf = (t: TestContext, address: string) => {
  const loaded = loadPackageDefinition(
    loadSync(packageFile("proto/platestream.proto"), { keepCase: true, defaults: true, enums: String, arrays: true }),
  ) as unknown as { platestream: { v1: { Worker: ServiceClientConstructor } } };
  const client = new loaded.platestream.v1.Worker(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  t.after(() => client.close());
  const unary = (method: string, request: Json): Promise<Json> =>
    new Promise((resolve, reject) =>
      client[method]!(request, (error: ServiceError | null, response: Json) =>
        error === null ? resolve(response) : reject(error),
      ),
    );
  return {
    client,
    predict: (request: Json) => unary("Predict", request) as unknown as Promise<PredictResponse>,
    listModels: () => unary("ListModels", {}),
    stream: () => client.PredictStream!() as ClientDuplexStream<Json, PredictResponse>,
    calibrate: (requests: Json[]): Promise<Json> =>
      new Promise((resolve, reject) => {
        const call = client.Calibrate!((error: ServiceError | null, response: Json) =>
          error === null ? resolve(response) : reject(error),
        );
        for (const request of requests) call.write(request);
        call.end();
      }),
  };
};

const startTiny = async (
  t: TestContext,
  engineOptions: Partial<EngineOptions> = {},
  serverOptions: Partial<ServerOptions> = {},
): Promise<RunningServer> => {
  const bundle = await readBundle(await writeTinyBundle(t));
  const engine = await openEngine([bundle], { provider: "cpu", threads: 1, ...engineOptions });
  t.after(() => engine.close());
  const server = await startServer(engine, { listen: "127.0.0.1:0", ...serverOptions });
  t.after(() => server.close(1000));
  return server;
};

const images = (from: number, to: number): Json => ({
  pixels: pixelsOf(tiny, from, to),
  shape: [to - from, 6, 32, 32],
});

const floats = (bytes: Buffer | undefined): Float32Array =>
  new Float32Array(bytes!.buffer.slice(bytes!.byteOffset, bytes!.byteOffset + bytes!.byteLength) as ArrayBuffer);

const failure = (code: number, message: RegExp, ours: string) => (thrown: unknown) => {
  const error = thrown as ServiceError;
  assert.equal(error.code, code, error.message);
  assert.match(error.details, message);
  assert.deepEqual(error.metadata.get("platestream-code"), [ours]);
  return true;
};

test("a request that finds the queue full is refused, and the others are answered", async (t) => {
  const { address } = await startTiny(t, { queueBytes: 8 * 6 * 32 * 32 });
  const { predict } = clientOf(t, address);
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => predict({ images: images(0, 8) })));
  const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  assert.ok(refused.length > 0 && refused.length < 8, `${refused.length} of 8 are refused`);
  for (const error of refused) {
    assert.ok(
      failure(status.RESOURCE_EXHAUSTED, /batches of \d+ KiB of \d+ KiB wait already/, "too-many-calls")(error),
    );
  }
});

test("a client that knows the .proto alone reads probabilities, top classes and features", async (t) => {
  const { address } = await startTiny(t);
  const { predict, listModels } = clientOf(t, address);
  const answer = await predict({ id: "a", images: images(0, 8), top: 3 });
  const expected = tiny.expected("running.logits");
  assertClose(floats(answer.logits), expected, "logits");
  assertClose(
    floats(answer.probabilities),
    expected.map((logit) => 1 / (1 + Math.exp(-logit))),
    "probabilities",
  );
  assertClose(floats(answer.features), tiny.expected("running.features"), "features");
  assert.equal(answer.id, "a");
  assert.equal(answer.statistics_id, "running");
  assert.equal(answer.classes, 12);
  assert.equal(answer.top!.length, 8);
  const [first] = answer.top!;
  const best = [...expected.subarray(0, 12).keys()].sort((a, b) => expected[b]! - expected[a]!).slice(0, 3);
  assert.deepEqual(first!.index, best);
  assert.deepEqual(
    first!.treatment,
    best.map((index) => `sirna-${index}`),
  );
  const { models, max_batch: most, provider } = (await listModels()) as { models: Json[] } & Json;
  assert.equal(most, 128);
  assert.equal(provider, "cpu");
  assert.equal(models.length, 1);
  assert.equal(models[0]!.name, "tiny");
  assert.equal(models[0]!.version, answer.model_version);
  assert.deepEqual(models[0]!.controls, [11]);
  assert.deepEqual(models[0]!.plate_groups, [{ classes: [0, 1] }, { classes: [2, 3] }]);
});

test("16 bit and float pixels with an affine of their own predict what bytes predict", async (t) => {
  const { address } = await startTiny(t);
  const { predict } = clientOf(t, address);
  const wide = Array.from(pixelsOf(tiny, 0, 8), (value) => value * 257);
  const scale = new Array<number>(6).fill(1 / 65535);
  for (const [type, values] of [
    ["UINT16", Uint16Array.from(wide)],
    ["FLOAT32", Float32Array.from(wide)],
  ] as const) {
    // An id of odd length moves the pixels to an odd address.
    for (const id of ["", "x", "xy", "xyz"]) {
      const pixels = Buffer.from(values.buffer);
      const answer = await predict({ id, images: { pixels, type, shape: [8, 6, 32, 32], scale } });
      assertClose(floats(answer.logits), tiny.expected("running.logits"), `${type} ${id}`);
    }
  }
});

test("statistics are estimated once and then named; a worker that does not hold them asks for their bytes", async (t) => {
  const { address } = await startTiny(t);
  const { predict, calibrate } = clientOf(t, address);
  const made = await calibrate([0, 8, 16].map((from) => ({ images: images(from, from + 8) })));
  assert.equal(made.images, 24);
  const named = { images: images(24, 32), statistics: { calibrated: { id: made.id } } };
  const answer = await predict(named);
  assertClose(floats(answer.logits), tiny.expected("calibrated.logits"), "logits");
  assert.equal(answer.statistics_id, made.id);

  const other = clientOf(t, (await startTiny(t)).address);
  await assert.rejects(
    other.predict(named),
    failure(status.FAILED_PRECONDITION, /send the request again with their bytes/, "unknown-statistics"),
  );
  const again = await other.predict({ ...named, statistics: { calibrated: { id: made.id, data: made.data } } });
  assertClose(floats(again.logits), tiny.expected("calibrated.logits"), "logits of the other worker");
  assertClose(floats((await other.predict(named)).logits), tiny.expected("calibrated.logits"), "logits by id");
});

test("a stream answers every batch; one that does not fit is answered with its error", async (t) => {
  const { address } = await startTiny(t);
  const call = clientOf(t, address).stream();
  const answers = new Map<string, PredictResponse>();
  const ended = new Promise<void>((resolve, reject) => {
    call.on("data", (answer: PredictResponse) => answers.set(answer.id, answer));
    call.on("end", resolve);
    call.on("error", reject);
  });
  for (let index = 0; index < 10; index++) {
    call.write({
      id: String(index),
      images: index === 4 ? { pixels: Buffer.alloc(3), shape: [1, 6, 32, 32] } : images(0, 8),
    });
  }
  call.end();
  await ended;
  assert.equal(answers.size, 10);
  assert.equal(answers.get("4")!.error!.code, "invalid-request");
  assert.match(answers.get("4")!.error!.message, /needs 6144 bytes of pixels, there are 3/);
  assertClose(floats(answers.get("9")!.logits), tiny.expected("running.logits"), "logits after the error");
});

test("what is wrong comes as a gRPC status with the full text and our code", async (t) => {
  const { address } = await startTiny(t);
  const { predict, calibrate } = clientOf(t, address);
  await assert.rejects(
    predict({ images: { pixels: Buffer.alloc(6 * 16 * 16), shape: [1, 6, 16, 16] } }),
    failure(
      status.INVALID_ARGUMENT,
      /^the images do not fit tiny HUVEC: images are 32x32 pixels \(height x width\), not 16x16; resize or crop them/,
      "invalid-request",
    ),
  );
  await assert.rejects(
    predict({ model: "other", images: images(0, 1) }),
    failure(status.NOT_FOUND, /this worker holds no network "other"; it holds tiny HUVEC/, "unknown-model"),
  );
  await assert.rejects(predict({}), failure(status.INVALID_ARGUMENT, /`images` is not set/, "invalid-request"));
  await assert.rejects(
    predict({ images: { pixels: Buffer.alloc(3), type: "UINT16", shape: [1, 6, 32, 32] } }),
    failure(status.INVALID_ARGUMENT, /take 2 bytes each/, "invalid-request"),
  );
  await assert.rejects(calibrate([]), failure(status.INVALID_ARGUMENT, /at least one image/, "invalid-request"));
  await assert.rejects(
    calibrate([{ images: images(0, 4) }, { images: { pixels: Buffer.alloc(1), shape: [1, 6, 32, 32] } }]),
    failure(status.INVALID_ARGUMENT, /there are 1/, "invalid-request"),
  );
});

test("a message over the limit is refused, and the next one is answered", async (t) => {
  const limits = { ...defaultServerLimits, maxMessageBytes: 100_000 };
  const { address } = await startTiny(t, {}, { security: { ...openToThisHost, limits } });
  const { predict } = clientOf(t, address);
  await assert.rejects(predict({ images: images(0, 32) }), (error: ServiceError) => {
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    return true;
  });
  assert.equal((await predict({ images: images(0, 1) })).classes, 12);
});

test("health says SERVING for the worker as a whole and for its service", async (t) => {
  const { address } = await startTiny(t);
  const Health = makeGenericClientConstructor(healthService, "Health");
  const health = new Health(address, credentials.createInsecure());
  t.after(() => health.close());
  const check = (service: string): Promise<string> =>
    new Promise((resolve, reject) =>
      health.check!({ service }, (error: Error | null, response: { status: string }) =>
        error === null ? resolve(response.status) : reject(error),
      ),
    );
  assert.deepEqual(await Promise.all([check(""), check("platestream.v1.Worker")]), ["SERVING", "SERVING"]);
});

test("a call that is cancelled or runs out of time is cancelled in the engine, too", async (t) => {
  const events = new EventEmitter();
  const engine: Engine = {
    ...idleEngine,
    predict: (_choice, _images, _statistics, { signal } = {}) =>
      new Promise((_, reject) => {
        events.emit("started");
        signal!.addEventListener("abort", () => {
          events.emit("aborted");
          reject(new PlatestreamError("cancelled", "the request was cancelled"));
        });
      }),
    calibrate: () => ({
      model: engine.models()[0]!,
      add: () => Promise.resolve(),
      finish: () => sleep(500).then(() => Promise.reject(new Error("the client is gone by now"))),
    }),
  };
  const observe = (finished: FinishedRequest) => events.emit("finished", finished);
  const server = await startServer(engine, { listen: "127.0.0.1:0", observe });
  t.after(() => server.close(1000));
  const { client, stream } = clientOf(t, server.address);
  const request = { images: images(0, 1) };

  const finished = once(events, "finished") as Promise<[FinishedRequest]>;
  const calibration = client.Calibrate!(() => undefined);
  calibration.write(request);
  setTimeout(() => calibration.cancel(), 300);
  const [{ method, error }] = await finished;
  assert.deepEqual([method, error?.code], ["Calibrate", "cancelled"]);

  for (const deadline of [undefined, 300]) {
    const [started, aborted] = [once(events, "started"), once(events, "aborted")];
    const code = new Promise<number | undefined>((resolve) => {
      const options = deadline === undefined ? {} : { deadline: Date.now() + deadline };
      const call = client.Predict!(request, options, (error: ServiceError | null) => resolve(error?.code));
      if (deadline === undefined) void started.then(() => call.cancel());
    });
    await aborted;
    assert.equal(await code, deadline === undefined ? status.CANCELLED : status.DEADLINE_EXCEEDED);
  }
  const [started, aborted] = [once(events, "started"), once(events, "aborted")];
  const call = stream();
  call.on("error", () => undefined);
  call.write(request);
  await started;
  call.cancel();
  await aborted;
});

test("reflection lists every service that there is, and describes it", async (t) => {
  const { address } = await startTiny(t);
  const definition = loadSync(
    packageFile("node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto"),
  );
  const loaded = loadPackageDefinition(definition) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } };
  };
  const client = new loaded.grpc.reflection.v1.ServerReflection(address, credentials.createInsecure());
  t.after(() => client.close());
  interface Answer {
    readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
    readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
    readonly errorResponse?: object;
  }
  const call = client.ServerReflectionInfo!() as ClientDuplexStream<Json, Answer>;
  const ask = async (request: Json): Promise<Answer> => {
    const answer = once(call, "data") as Promise<[Answer]>;
    call.write(request);
    return (await answer)[0];
  };
  const names = (await ask({ listServices: "" })).listServicesResponse!.service.map(({ name }) => name);
  for (const name of ["platestream.v1.Worker", "grpc.health.v1.Health"]) assert.ok(names.includes(name), name);
  for (const name of names) {
    const { fileDescriptorResponse, errorResponse } = await ask({ fileContainingSymbol: name });
    const described = Buffer.concat(fileDescriptorResponse?.fileDescriptorProto ?? []).toString("latin1");
    assert.ok(described.includes(name.slice(name.lastIndexOf(".") + 1)), `${name}: ${JSON.stringify(errorResponse)}`);
  }
  call.end();
});

test("every message of a calibration is of one network", async (t) => {
  const { address } = await startTiny(t);
  const { calibrate } = clientOf(t, address);
  for (const other of [{ cell_type: "NO-SUCH" }, { model: "another" }]) {
    const [name = ""] = Object.values(other);
    await assert.rejects(
      calibrate([{ images: images(0, 4) }, { images: images(4, 8), ...other }]),
      failure(status.INVALID_ARGUMENT, new RegExp(`a calibration is of one network: .*${name}`), "invalid-request"),
    );
  }
  assert.ok(await calibrate([{ images: images(0, 4) }, { images: images(4, 8), cell_type: "HUVEC" }]));
});

test("closing answers what is under way and ends open streams", async (t) => {
  const server = await startTiny(t);
  const { predict, stream } = clientOf(t, server.address);
  const open = stream();
  const firstAnswer = new Promise((resolve) => open.once("data", resolve));
  open.write({ id: "1", images: images(0, 8) });
  await firstAnswer;
  const ended = new Promise<ServiceError>((resolve) => open.once("error", resolve));
  const last = predict({ images: images(0, 8) });
  let answered = false;
  void last.then(() => {
    answered = true;
  });
  while (server.active === 0 && !answered) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close(1000);
  assertClose(floats((await last).logits), tiny.expected("running.logits"), "logits");
  assert.equal((await ended).code, status.UNAVAILABLE);
  await closed;
});

test("a worker listens on loopback only, unless configured otherwise", async (t) => {
  await assert.rejects(startTiny(t, {}, { listen: "0.0.0.0:0" }), /\[invalid-config\] .*--insecure/);
  await assert.rejects(startTiny(t, {}, { listen: "7411" }), /--listen is HOST:PORT/);
  const { address } = await startTiny(t);
  await assert.rejects(startTiny(t, {}, { listen: address }), /cannot listen on 127\.0\.0\.1:\d+/);
});
