import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { clientOf } from "../../common/grpc/protos.ts";
import { seededRandom } from "../../common/random.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import type { GRPCInferenceServiceClient } from "../../proto/types/inference/GRPCInferenceService.ts";
import type { ModelInferRequest } from "../../proto/types/inference/ModelInferRequest.ts";
import type { ModelInferResponse__Output } from "../../proto/types/inference/ModelInferResponse.ts";
import { pixelsOf, tiny, writeTinyBundle } from "./tiny-bundle.ts";

const start = async (t: TestContext) => {
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { address, close } = await startServer(engine, { listen: "127.0.0.1:0" });
  t.after(() => close(1_000));
  const Client = clientOf<GRPCInferenceServiceClient>("open_inference.proto", "inference.GRPCInferenceService");
  const client = new Client(address, credentials.createInsecure());
  t.after(() => client.close());
  const infer = (request: ModelInferRequest) =>
    new Promise<ModelInferResponse__Output>((resolve, reject) =>
      client.ModelInfer(request, (error: ServiceError | null, response?: ModelInferResponse__Output) =>
        error === null ? resolve(response!) : reject(error),
      ),
    );
  return { client, infer };
};

const pixels = { name: "pixels", datatype: "UINT8", shape: [2, 6, 32, 32] };
const good: ModelInferRequest = {
  model_name: "tiny.HUVEC",
  inputs: [pixels],
  raw_input_contents: [Buffer.from(pixelsOf(tiny, 0, 2))],
};

test("typed contents are read, and raw contents are answered in the order of the outputs", async (t) => {
  const { infer } = await start(t);
  const raw = await infer({ ...good, outputs: [{ name: "features" }, { name: "logits" }] });
  assert.deepEqual(
    raw.outputs.map(({ name }) => name),
    ["features", "logits"],
  );
  assert.equal(raw.raw_output_contents[1]!.byteLength, 2 * tiny.architecture.classes * 4);
  const uint_contents = Array.from(pixelsOf(tiny, 0, 2));
  const typed = await infer({ model_name: "tiny.HUVEC", inputs: [{ ...pixels, contents: { uint_contents } }] });
  assert.deepEqual(typed.raw_output_contents[0], raw.raw_output_contents[1]);
});

test("what is wrong with a request is said in words", async (t) => {
  const { infer } = await start(t);
  const with_ = (changes: object): ModelInferRequest => ({ ...good, inputs: [{ ...pixels, ...changes }] });
  const cases: [ModelInferRequest, number, RegExp][] = [
    [
      { ...good, model_name: "tiny" },
      status.NOT_FOUND,
      /no model "tiny"; there are tiny\.HUVEC, tiny\.HUVEC\.calibrate/,
    ],
    [{ ...good, model_version: "9" }, status.NOT_FOUND, /has version 1 only/],
    [{ ...good, inputs: [] }, status.INVALID_ARGUMENT, /raw_input_contents has 1 entries for 0 inputs/],
    [{ ...good, raw_input_contents: [] }, status.INVALID_ARGUMENT, /no contents, and there are no raw_input_contents/],
    [{ ...good, inputs: [pixels, pixels] }, status.INVALID_ARGUMENT, /is there twice/],
    [with_({ datatype: "FP16" }), status.INVALID_ARGUMENT, /has the datatype "FP16"; known are/],
    [with_({ datatype: "__proto__" }), status.INVALID_ARGUMENT, /has the datatype "__proto__"/],
    [with_({ shape: [2, 6, 32, 31] }), status.INVALID_ARGUMENT, /takes 11904 bytes, there are 12288/],
    [with_({ shape: [-1, 6, 32, 32] }), status.INVALID_ARGUMENT, /made of positive numbers/],
    [with_({ name: "image" }), status.INVALID_ARGUMENT, /has no input "image"; it has pixels, scale/],
    [with_({ contents: { uint_contents: [1] } }), status.INVALID_ARGUMENT, /has contents although/],
    [
      with_({ parameters: { shared_memory_region: { string_param: "none" } } }),
      status.INVALID_ARGUMENT,
      /no shared memory region "none"/,
    ],
    [
      { ...good, outputs: [{ name: "__proto__" }] },
      status.INVALID_ARGUMENT,
      /has no output "__proto__"; it has logits/,
    ],
    [
      { ...good, parameters: { statistics: { string_param: "best" } } },
      status.INVALID_ARGUMENT,
      /running, batch or cal/,
    ],
    [{ ...good, parameters: { statistics_id: { string_param: "0" } } }, status.FAILED_PRECONDITION, /does not hold/],
    [
      { ...good, outputs: [{ name: "features", parameters: { classification: { int64_param: 2 } } }] },
      status.INVALID_ARGUMENT,
      /has no classes to name/,
    ],
  ];
  for (const [request, code, says] of cases) {
    await assert.rejects(infer(request), (error: ServiceError) => {
      assert.equal(error.code, code, error.details);
      assert.match(error.details, says);
      return true;
    });
  }
});

test("500 requests at random each get a status, and the worker goes on", { timeout: 120_000 }, async (t) => {
  const { infer } = await start(t);
  const random = seededRandom("open inference");
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const number = () => pick<number>(0, 1, 2, 6, 32, -1, 2 ** 31, 2 ** 53, Math.floor(random() * 100));
  const parameters = () => ({
    [pick("statistics", "statistics_id", "batch", "shared_memory_region", "classification", "__proto__", "priority")]:
      pick<object>(
        { string_param: pick("running", "calibrated", "", "x") },
        { int64_param: number() },
        { bool_param: true },
        { double_param: Number.NaN },
        { uint64_param: 3 },
        {},
      ),
  });
  const tensor = () => ({
    name: pick("pixels", "scale", "offset", "plate", "statistics", ""),
    datatype: pick("UINT8", "UINT16", "FP32", "INT32", "BYTES", "BOOL", ""),
    shape: pick([2, 6, 32, 32], Array.from({ length: number() % 5 }, number)),
    parameters: pick({}, parameters()),
    ...pick<object>({}, {}, { contents: { fp32_contents: [Number.NaN, 1] } }),
  });
  const codes = new Map<number, number>();
  for (let round = 0; round < 500; round++) {
    const request: ModelInferRequest = {
      model_name: pick("tiny.HUVEC", "tiny.HUVEC", "tiny.HUVEC.calibrate", "", "tiny"),
      parameters: pick({}, parameters()),
      inputs: pick([pixels], Array.from({ length: pick(0, 1, 2, 3) }, tensor)),
      outputs: pick([], [{ name: pick("logits", "nothing", "statistics"), parameters: parameters() }]),
      raw_input_contents: Array.from({ length: pick(0, 1, 1, 2) }, () =>
        pick(Buffer.from(pixelsOf(tiny, 0, 2)), Buffer.alloc(Math.floor(random() * 64))),
      ),
    };
    const code = await infer(request).then(
      () => status.OK,
      (error: ServiceError) => error.code,
    );
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const expected: number[] = [status.OK, status.INVALID_ARGUMENT, status.NOT_FOUND, status.FAILED_PRECONDITION];
  assert.deepEqual(
    [...codes.keys()].filter((code) => !expected.includes(code)),
    [],
    JSON.stringify([...codes]),
  );
  assert.ok(codes.get(status.OK)! > 5 && codes.get(status.INVALID_ARGUMENT)! > 100, JSON.stringify([...codes]));
  await infer(good);
});

test("a stream may ask to end with the status of its first failure", async (t) => {
  const { client } = await start(t);
  const metadata = new Metadata();
  metadata.set("triton_grpc_error", "true");
  const call = client.ModelStreamInfer(metadata);
  call.resume();
  const ended = new Promise<ServiceError>((resolve) => call.on("error", resolve));
  call.write({ ...good, model_name: "none" });
  call.end();
  assert.equal((await ended).code, status.NOT_FOUND);
});
