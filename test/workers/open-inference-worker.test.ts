import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import type { Images, Statistics } from "../../common/inference.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { workerPool } from "../../pipeline/workers/pool.ts";
import { openWorker } from "../../pipeline/workers/protocols.ts";
import type { ModelMetadataResponse } from "../../proto/types/inference/ModelMetadataResponse.ts";
import { assertClose, parityCase } from "../gpu-worker/parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { newAuthority } from "../security/certificates.ts";
import { type ExportedServerOptions, startExportedServer } from "./exported-server.ts";

const options = { signal: new AbortController().signal, deadlineMs: 30_000 };
const huvec = { cellType: "HUVEC" };

const setup = async (t: TestContext, given: ExportedServerOptions & { readonly network?: typeof tiny } = {}) => {
  const { network = tiny, ...rest } = given;
  const bundle = await writeTinyBundle(t, { network });
  const server = await startExportedServer(t, bundle, rest);
  const worker = openWorker(`triton://${server.address}/tiny.HUVEC`);
  t.after(() => worker.close());
  return { bundle, server, worker };
};

const engineOf = async (t: TestContext, bundle: string) => {
  const engine = await openEngine([await readBundle(bundle)], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  return engine;
};

const images = (from: number, to: number, more: Partial<Images> = {}): Images => {
  const { channels, height, width } = tiny.architecture;
  const shape = [to - from, channels, height, width] as const;
  return { pixels: pixelsOf(tiny, from, to), shape, scale: [], offset: [], plates: [], ...more };
};

test("a server holds what the bundle says, and is called by its own name", async (t) => {
  const { bundle, worker } = await setup(t);
  const { models, runtime } = await worker.info(options);
  assert.deepEqual(models, (await engineOf(t, bundle)).models());
  assert.equal(runtime, "test 1.0");
});

for (const typed of [false, true]) {
  test(`predictions and statistics are those of our own worker, ${typed ? "typed" : "raw"} contents`, async (t) => {
    const { bundle, worker } = await setup(t, { typed });
    const engine = await engineOf(t, bundle);
    const calibration = engine.calibrate(huvec, 5);
    for (const from of [0, 4]) await calibration.add(images(from, from + 4));
    const own = await calibration.finish();
    const theirs = await worker.calibrate(huvec, [images(0, 4), images(4, 8)], 5, options);
    const single = [
      await worker.calibrate(huvec, [images(0, 4)], 0, options),
      await worker.calibrate(huvec, [images(4, 8)], 0, options),
    ];
    const combined = await worker.combine(
      huvec,
      single.map(({ data }) => ({ data, images: 4 })),
      5,
      options,
    );
    assert.equal(combined.id, theirs.id, "in parts as in one");

    const ownStatistics: Statistics = { kind: "calibrated", id: own.id, data: own.data };
    for (const statistics of [{ kind: "running" }, { kind: "batch" }, ownStatistics] as const) {
      const expected = await engine.predict(huvec, images(8, 16), statistics);
      const got = await worker.predict(huvec, images(8, 16), statistics, options);
      assertClose(got.logits, expected.logits, `logits, ${statistics.kind}`);
      assertClose(got.features, expected.features, `features, ${statistics.kind}`);
      assert.equal(got.statistics, expected.statistics);
    }
    const held = await worker.predict(huvec, images(8, 16), { kind: "calibrated", id: own.id }, options);
    assert.equal(held.statistics, own.id, "statistics that it was sent once are held");
    const onTheirs = await engine.predict(huvec, images(8, 16), theirs);
    assertClose((await worker.predict(huvec, images(8, 16), theirs, options)).logits, onTheirs.logits, "each other's");
  });
}

test("pixels are widened where that is exact, and refused where it is not", async (t) => {
  const { worker: wide } = await setup(t, { pixels: "uint16" });
  const { worker: narrow } = await setup(t);
  const expected = await narrow.predict(huvec, images(0, 2), { kind: "running" }, options);
  const got = await wide.predict(huvec, images(0, 2), { kind: "running" }, options);
  assert.deepEqual(got.logits, expected.logits);
  const sixteen = images(0, 2, { pixels: Uint16Array.from(pixelsOf(tiny, 0, 2)) });
  await assert.rejects(narrow.predict(huvec, sixteen, { kind: "running" }, options), {
    code: "invalid-request",
    rawMessage: "tiny HUVEC is exported for pixels of 8 bits, and these have 16; export it with --pixels uint16",
  });
});

test("a network with a plate input reads the positions of the plates", async (t) => {
  const network = parityCase("tiny-plates");
  const { bundle, worker } = await setup(t, { network });
  const { channels, height, width, plates } = network.architecture;
  const batch: Images = {
    pixels: pixelsOf(network, 0, 4),
    shape: [4, channels, height, width],
    scale: [],
    offset: [],
    plates: [0, 1, plates - 1, 0],
  };
  const expected = await (await engineOf(t, bundle)).predict(huvec, batch, { kind: "running" });
  assertClose((await worker.predict(huvec, batch, { kind: "running" }, options)).logits, expected.logits, "logits");
  const { id } = await worker.calibrate(huvec, [batch], 0, options);
  assert.match(id, /^[0-9a-f]{16}$/);
  await assert.rejects(worker.predict(huvec, { ...batch, plates: [0, 1, plates, 0] }, { kind: "running" }, options), {
    code: "invalid-request",
  });
});

test("images that do not fit are refused in words before they are sent", async (t) => {
  const { server, worker } = await setup(t);
  const wrong = images(0, 2, { shape: [2, 5, 32, 32] });
  await assert.rejects(worker.predict(huvec, wrong, { kind: "running" }, options), {
    code: "invalid-request",
    message: /images have 6 channels, not 5/,
  });
  assert.deepEqual(new Set(server.asked), new Set(["tiny.HUVEC.about"]));
});

const tensors = (told: ModelMetadataResponse, what: "inputs" | "outputs", name: string, change: object) => ({
  ...told,
  [what]: told[what]!.map((each) => (each.name === name ? { ...each, ...change } : each)),
});

test("models that are not what was exported are told of before the start, all that is wrong at once", async (t) => {
  const { server, worker } = await setup(t);
  const cases: [(told: ModelMetadataResponse) => ModelMetadataResponse, RegExp][] = [
    [
      (told) => tensors(told, "inputs", "pixels", { shape: [-1, 5, 32, 32] }),
      /its input "pixels" is \[N, 5, 32, 32\], not \[N, 6, 32, 32\]/,
    ],
    [
      (told) => tensors(told, "inputs", "mean", { name: "mu" }),
      /it has no input "mean"; it has pixels, .*mu[\s\S]*it asks for an input "mu"/,
    ],
    [(told) => tensors(told, "outputs", "logits", { shape: [-1, 7] }), /its output "logits" is \[N, 7\]/],
    [(told) => tensors(told, "outputs", "features", { datatype: "FP16" }), /its output "features" is FP16, not FP32/],
  ];
  for (const [metadata, message] of cases) {
    server.metadata = (told) => (told.name === "tiny.HUVEC" ? metadata(told) : told);
    await assert.rejects(worker.info(options), { code: "invalid-model", message });
  }
});

test("a server that is not ready or lacks a model keeps the run from starting, in words", async (t) => {
  const { server, worker } = await setup(t);
  server.ready = false;
  await assert.rejects(worker.info(options), { code: "worker-unavailable", message: /tiny\.HUVEC is not ready/ });
  const other = openWorker(`triton://${server.address}/tiny.RPE`);
  t.after(() => other.close());
  await assert.rejects(
    workerPool([other], () => undefined),
    { code: "no-worker", message: /tiny\.RPE is not ready/ },
  );
  const own = await startServer(await engineOf(t, await writeTinyBundle(t)), { listen: "127.0.0.1:0" });
  t.after(() => own.close(1_000));
  const ours = openWorker(`triton://${own.address}/tiny.HUVEC`);
  t.after(() => ours.close());
  await assert.rejects(ours.info(options), {
    code: "worker-unavailable",
    message: /serves no model tiny\.HUVEC\.about: it needs what `pipeline model export --repository` writes/,
  });
});

test("a server that holds another network by now is asked anew, and its answer is not taken", async (t) => {
  const { server, worker } = await setup(t);
  const {
    models: [before],
  } = await worker.info(options);
  await server.hold(await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] }));
  await assert.rejects(worker.predict(huvec, images(0, 2), { kind: "running" }, options), {
    code: "worker-unavailable",
    message: /answered with version .* of a network, and held/,
  });
  const { model } = await worker.predict(huvec, images(0, 2), { kind: "running" }, options);
  assert.notEqual(model.version, before!.version);
});

test("a pool tries another server when one fails, and takes in those that come back", async (t) => {
  const bundle = await writeTinyBundle(t);
  const servers = [await startExportedServer(t, bundle), await startExportedServer(t, bundle)];
  const workers = servers.map(({ address }) => openWorker(`triton://${address}/tiny.HUVEC`));
  const said: string[] = [];
  const pool = await workerPool(workers, (status) => {
    if (status.type === "worker") said.push(`${status.state} ${status.address}`);
  });
  t.after(() => pool.close());
  servers[0]!.before = (model) => {
    if (model === "tiny.HUVEC") throw { code: 14, details: "gone" };
  };
  const call = { ...options, retries: 3 };
  for (let n = 0; n < 3; n++) await pool.predict(huvec, images(0, 2), { kind: "running" }, call);
  assert.ok(said.includes(`lost ${workers[0]!.address}`), said.join("\n"));
  servers[0]!.before = () => undefined;
  servers[1]!.die();
  await pool.predict(huvec, images(0, 2), { kind: "running" }, call);
  assert.ok(servers[0]!.asked.includes("tiny.HUVEC"));
});

test("TLS and a token go to such a server as to our own workers", async (t) => {
  const lab = await newAuthority(t);
  const { cert, key } = await lab.certify("server");
  const [chain, secret] = [await readFile(cert), await readFile(key)];
  const credentials = ServerCredentials.createSsl(null, [{ cert_chain: chain, private_key: secret }]);
  const { server } = await setup(t, { credentials });
  const security = await readClientSecurity({ tlsCa: lab.ca }, { PLATESTREAM_TOKEN: "a-token" });
  const worker = openWorker(`triton://${server.address}/tiny.HUVEC`, { security });
  t.after(() => worker.close());
  await worker.info(options);
  assert.deepEqual(new Set(server.tokens), new Set(["Bearer a-token"]));
  const bare = await readClientSecurity({}, { PLATESTREAM_TOKEN: "a-token" });
  assert.throws(
    () => openWorker("triton://gpu1:8001/mine.HUVEC", { security: bare }),
    /gpu1:8001 would be reached unencrypted/,
  );
});

test("addresses that are none are refused with what there is", () => {
  for (const address of ["triton://host/model", "triton://host:8001", "triton://host:8001/a/b"]) {
    assert.throws(() => openWorker(address), { code: "invalid-config", message: /triton:\/\/HOST:PORT\/MODEL/ });
  }
  assert.throws(() => openWorker("http://host:8000/model"), { message: /workers are HOST:PORT or triton:\/\/…, not/ });
});
