import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Images } from "../../common/inference.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { assertClose, parityCase } from "./parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "./tiny-bundle.ts";

const any = {};

const start = async (t: TestContext, options: Partial<EngineOptions> = {}, bundle = {}): Promise<Engine> => {
  const engine = await openEngine([await readBundle(await writeTinyBundle(t, bundle))], {
    provider: "cpu",
    threads: 1,
    ...options,
  });
  t.after(() => engine.close());
  return engine;
};

const images = (from: number, to: number, network = tiny, plates: readonly number[] = []): Images => {
  const { channels, height, width } = network.architecture;
  return {
    pixels: pixelsOf(network, from, to),
    shape: [to - from, channels, height, width],
    scale: [],
    offset: [],
    plates,
  };
};

test("stored, own and calibrated statistics give the reference's numbers", async (t) => {
  const engine = await start(t);
  const running = await engine.predict(any, images(0, 8), { kind: "running" });
  assertClose(running.logits, tiny.expected("running.logits"), "running logits");
  assertClose(running.features, tiny.expected("running.features"), "running features");
  assert.equal(running.statistics, "running");

  const batch = await engine.predict(any, images(0, 5), { kind: "batch" });
  assertClose(batch.logits, tiny.expected("batch5.logits"), "batch logits");

  const calibration = engine.calibrate(any, 0);
  for (const from of [0, 8, 16]) await calibration.add(images(from, from + 8));
  const { id, images: count } = await calibration.finish();
  assert.equal(count, 24);
  const calibrated = await engine.predict(any, images(24, 32), { kind: "calibrated", id });
  assertClose(calibrated.logits, tiny.expected("calibrated.logits"), "calibrated logits");
  assert.equal(calibrated.statistics, id);
});

test("statistics from estimates of single batches are those from the batches themselves, bit for bit", async (t) => {
  const engine = await start(t);
  const batches = [images(0, 8), images(8, 13), images(13, 14)];
  const estimateOf = async (batch: Images) => {
    const single = engine.calibrate(any, 0);
    await single.add(batch);
    return single.finish();
  };
  for (const sourceWeight of [0, 16]) {
    const together = engine.calibrate(any, sourceWeight);
    for (const batch of batches) await together.add(batch);
    const apart = engine.calibrate(any, sourceWeight);
    for (const batch of batches) await apart.add(await estimateOf(batch));
    const [expected, combined] = [await together.finish(), await apart.finish()];
    assert.equal(combined.id, expected.id);
    assert.equal(combined.images, 14);
  }
  const broken = engine.calibrate(any, 0);
  await assert.rejects(broken.add({ data: Uint8Array.of(1, 2), images: 8 }), /the statistics/);
  const { data } = await estimateOf(images(0, 2));
  await assert.rejects(broken.add({ data, images: 0 }), /an estimate rests on at least one image, not on 0/);
});

test("a network with a plate input reads the positions of the plates", async (t) => {
  const network = parityCase("tiny-plates");
  const engine = await start(t, {}, { network });
  const plates = Array.from(network.tensors.get("plate")!.data as BigInt64Array, Number);
  const { logits } = await engine.predict(any, images(0, 8, network, plates.slice(0, 8)), { kind: "running" });
  assertClose(logits, network.expected("running.logits"), "logits");
  await assert.rejects(engine.predict(any, images(0, 8, network), { kind: "running" }), /one value per image, 8/);
  await assert.rejects(
    engine.predict(any, images(0, 1, network, [9]), { kind: "running" }),
    /plates are 0 to \d; image 0 is on plate 9/,
  );
});

test("what is wrong with images is said all at once", async (t) => {
  const engine = await start(t, { maxBatch: 4 });
  const wrong: Images = { pixels: new Uint8Array(7), shape: [5, 3, 64, 48], scale: [1, 2], offset: [], plates: [] };
  await assert.rejects(engine.predict(any, wrong, { kind: "running" }), (error: Error) => {
    assert.match(error.message, /\[invalid-request\] the images do not fit tiny HUVEC:/);
    assert.match(error.message, /at most 4 images, not 5/);
    assert.match(error.message, /6 channels, not 3/);
    assert.match(error.message, /32x32 pixels \(height x width\), not 64x48/);
    assert.match(error.message, /needs 46080 bytes of pixels, there are 7/);
    assert.match(error.message, /scale has C = 3 or N\*C = 15 values, or none for the model's own, not 2/);
    return true;
  });
});

test("statistics that are not held are asked for, changed ones refused, and those used last are kept", async (t) => {
  const engine = await start(t, { statistics: 1 });
  const made: { id: string; data: Uint8Array }[] = [];
  for (const from of [0, 8]) {
    const calibration = engine.calibrate(any, 0);
    await calibration.add(images(from, from + 8));
    made.push(await calibration.finish());
  }
  const [first, second] = made as [(typeof made)[0], (typeof made)[0]];
  const predict = (id: string, data?: Uint8Array) =>
    engine.predict(any, images(0, 1), { kind: "calibrated", id, ...(data === undefined ? {} : { data }) });
  await predict(second.id);
  await assert.rejects(predict(first.id), /\[unknown-statistics\] .*send the request again with their bytes/);
  await predict(first.id, first.data);
  await predict(first.id);
  await assert.rejects(predict(second.id), /unknown-statistics/);
  const changed = Uint8Array.from(second.data);
  changed[changed.length - 1]! ^= 1;
  await assert.rejects(predict(second.id, changed), /they were changed or cut off/);
});

test("the calling thread stays free while a batch computes, and a waiting batch can be cancelled", async (t) => {
  const engine = await start(t);
  const many = Array.from({ length: 12 }, () => engine.predict(any, images(0, 32), { kind: "batch" }));
  const controller = new AbortController();
  const dropped = engine.predict(any, images(0, 32), { kind: "batch" }, { signal: controller.signal });
  let turns = 0;
  const turn = () => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  controller.abort();
  await assert.rejects(dropped, /\[cancelled\]/);
  await Promise.all(many);
  clearImmediate(next);
  assert.ok(turns > 500, `${turns} turns of the event loop in ${many.length} batches`);
});

test("a full queue refuses batches", async (t) => {
  const engine = await start(t, { queue: 2 });
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, () => engine.predict(any, images(0, 8), { kind: "running" })),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "fulfilled", "rejected", "rejected"],
  );
  assert.match(String((results[4] as PromiseRejectedResult).reason), /\[too-many-calls\] 2 batches wait already/);
});

test("few sessions and short-lived threads change nothing in the numbers", async (t) => {
  const engine = await start(t, { sessions: 1, sessionsPerThread: 2 }, { cellTypes: ["HUVEC", "RPE", "U2OS"] });
  for (let round = 0; round < 2; round++) {
    for (const cellType of ["HUVEC", "RPE", "U2OS"]) {
      const choice = { model: "tiny", cellType };
      const running = await engine.predict(choice, images(0, 8), { kind: "running" });
      assertClose(running.logits, tiny.expected("running.logits"), `${cellType} running`);
      const batch = await engine.predict(choice, images(0, 8), { kind: "batch" });
      assertClose(batch.logits, tiny.expected("batch8.logits"), `${cellType} batch`);
    }
  }
});

test("closing finishes what waits and refuses what comes later", async (t) => {
  const engine = await start(t);
  const last = engine.predict(any, images(0, 8), { kind: "running" });
  const closed = engine.close();
  await assert.rejects(engine.predict(any, images(0, 8), { kind: "running" }), /shutting down/);
  assertClose((await last).logits, tiny.expected("running.logits"), "logits");
  await closed;
});

test("two networks need a name, and a wrong name gets the list", async (t) => {
  const engine = await start(t, {}, { cellTypes: ["HUVEC", "RPE"] });
  await assert.rejects(
    engine.predict(any, images(0, 1), { kind: "running" }),
    /more than one network; name the one you mean: tiny HUVEC, tiny RPE/,
  );
  await assert.rejects(
    engine.predict({ cellType: "U2OS" }, images(0, 1), { kind: "running" }),
    /\[unknown-model\] this worker holds no network for cell type "U2OS"; it holds tiny HUVEC, tiny RPE/,
  );
});

test("statistics of another cell type are refused, whatever their bytes and id", async (t) => {
  const engine = await start(t, {}, { cellTypes: ["HUVEC", "RPE"] });
  const calibration = engine.calibrate({ cellType: "HUVEC" }, 0);
  await calibration.add(images(0, 8));
  const { id, data } = await calibration.finish();
  await engine.predict({ cellType: "HUVEC" }, images(0, 1), { kind: "calibrated", id, data });
  await assert.rejects(engine.predict({ cellType: "RPE" }, images(0, 1), { kind: "calibrated", id, data }), {
    code: "invalid-request",
    message: /they belong to cell type HUVEC of version \w+, not to RPE/,
  });
});

test("pixels that are not numbers, and scales that lead beyond all numbers, are refused and not computed", async (t) => {
  const engine = await start(t);
  const { shape, plates } = images(0, 1);
  const pixels = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const of = (value: number, scale: number) => {
    pixels[7] = value;
    return engine.predict(
      any,
      { pixels, shape, scale: [scale, 1, 1, 1, 1, 1], offset: [], plates },
      { kind: "running" },
    );
  };
  await assert.rejects(of(Number.NaN, 1), { code: "invalid-request", message: /pixels hold NaN at 7/ });
  await assert.rejects(of(Infinity, 1), { code: "invalid-request", message: /pixels hold Infinity at 7/ });
  await assert.rejects(of(3e38, 3e38), {
    code: "invalid-request",
    message: /(logits|features) of tiny HUVEC are not finite/,
  });
});

test("one image whose last maps are single values has no statistics of its own, and is refused", async (t) => {
  const network = { ...tiny, architecture: { ...tiny.architecture, height: 16, width: 16 } };
  const engine = await start(t, {}, { network });
  const { channels } = tiny.architecture;
  const of = (count: number): Images => ({
    ...images(0, 1),
    pixels: pixelsOf(tiny, 0, 8).slice(0, count * channels * 256),
    shape: [count, channels, 16, 16],
  });
  const refusal = { code: "invalid-request", message: /single values, .*send at least 2 images/ };
  await assert.rejects(engine.predict(any, of(1), { kind: "batch" }), refusal);
  await assert.rejects(engine.calibrate(any, 0).add(of(1)), refusal);
  const { logits } = await engine.predict(any, of(2), { kind: "batch" });
  assert.ok(logits.some((value) => value !== 0));
  await engine.predict(any, of(1), { kind: "running" });
});

test("black images leave no statistics to calibrate with", async (t) => {
  const engine = await start(t);
  const { shape, pixels, ...rest } = images(0, 8);
  const calibration = engine.calibrate(any, 0);
  await calibration.add({ ...rest, shape, pixels: new Uint8Array(pixels.length) });
  await assert.rejects(calibration.finish(), /zero for all maps: no image differs from another/);
});

test("float pixels need a scale of their own", async (t) => {
  const engine = await start(t);
  const bytes = images(0, 2);
  const floats = { ...bytes, pixels: Float32Array.from(bytes.pixels) };
  const predict = (changes: Partial<Images>) => engine.predict(any, { ...floats, ...changes }, { kind: "running" });
  await assert.rejects(predict({}), /\[invalid-request\] .*float pixels need a `scale`/);
  const scaled = await predict({ scale: new Array(6).fill(1 / 255), offset: new Array(6).fill(0) });
  assertClose(scaled.logits, (await engine.predict(any, bytes, { kind: "running" })).logits, "logits of float pixels");
});
