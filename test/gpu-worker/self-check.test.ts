import assert from "node:assert/strict";
import { test } from "node:test";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { findRuntime, openRuntime } from "../../gpu-worker/runtime/runtimes.ts";
import { assertClose } from "./parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "./tiny-bundle.ts";

const planted = new URL("./wrong-runtime.js", import.meta.url).href;
const options = { threads: 1, precision: "float32" } as const;

test("auto passes over a provider that is missing and one that computes wrong, and serves from the right one", async (t) => {
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { runtime: planted, threads: 1 });
  t.after(() => engine.close());
  const { provider, refused } = engine.device;
  assert.equal(provider, "right");
  assert.deepEqual(
    refused.map((each) => each.provider),
    ["absent", "broken"],
  );
  assert.match(refused[0]!.reason, /its library is not installed/);
  assert.match(
    refused[1]!.reason,
    /planted on "broken" computes wrong numbers: in mode fixed its (logits|features) are off by \d\.\d+ of their size, at most 0\.001 is allowed/,
  );
  const { channels, height, width } = tiny.architecture;
  const images = {
    pixels: pixelsOf(tiny, 0, 8),
    shape: [8, channels, height, width],
    scale: [],
    offset: [],
    plates: [],
  } as const;
  const { logits } = await engine.predict({}, images, { kind: "running" });
  assertClose(logits, tiny.expected("running.logits"), "logits");
});

test("a wrong provider that was asked for does not start, whatever kind of network it opens", async (t) => {
  const bundle = await readBundle(await writeTinyBundle(t));
  await assert.rejects(openEngine([bundle], { runtime: planted, provider: "broken", threads: 1 }), {
    code: "wrong-provider",
  });
  const runtime = await openRuntime(planted, "broken", options);
  for (const mode of ["fixed", "batch", "calibration"] as const) {
    for (const type of ["uint8", "uint16", "float32"] as const) {
      await assert.rejects(runtime.open(tiny, mode, type), { code: "wrong-provider" }, `${mode} ${type}`);
    }
  }
});

test("runtimes and providers that are not there are refused with those that are", async () => {
  await assert.rejects(findRuntime("abacus"), /there is no runtime "abacus"; choose onnxruntime or tfjs/);
  await assert.rejects(
    openRuntime("onnxruntime", "abacus", options),
    /has no provider "abacus"; choose cuda, webgpu, cpu or auto/,
  );
});
