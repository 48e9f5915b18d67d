import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readSafetensors, writeSafetensors } from "../../common/safetensors.ts";
import { addToBundle, readBundle, writeBundle } from "../../gpu-worker/bundle/bundle.ts";
import { architectureSchema, variants } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { tiny, tinyManifest, writeTinyBundle } from "./tiny-bundle.ts";

const small = architectureSchema.parse({
  ...variants["densenet-small"],
  channels: 6,
  height: 64,
  width: 64,
  classes: 5,
});

test("a bundle is read as it was written, and leaves no other files", async (t) => {
  const folder = await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] });
  const { manifest, weights, version } = await readBundle(folder);
  assert.deepEqual((await readdir(folder)).sort(), ["HUVEC.safetensors", "RPE.safetensors", "bundle.json"]);
  assert.deepEqual(manifest.architecture, tiny.architecture);
  for (const [name, values] of weights.get("RPE")!) assert.deepEqual(values, tiny.weights.get(name), name);
  assert.match(version, /^[0-9a-f]{12}$/);
});

test("the version follows what predictions depend on, and nothing else", async (t) => {
  const folder = await writeTinyBundle(t);
  const { version } = await readBundle(folder);
  const rewrite = async (change: (manifest: Record<string, unknown>) => object) => {
    const path = join(folder, "bundle.json");
    await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")))));
    return (await readBundle(folder)).version;
  };
  assert.equal(await rewrite((manifest) => ({ ...manifest, recipe: { epochs: 3 } })), version);
  assert.notEqual(await rewrite((manifest) => ({ ...manifest, input: { scale: 1, offset: 0 } })), version);
  assert.equal(await rewrite((manifest) => ({ ...manifest, input: { scale: 1 / 255, offset: 0 } })), version);
  const changed = new Map(tiny.weights);
  changed.set(
    "classifier.bias",
    changed.get("classifier.bias")!.map((value) => value + 1),
  );
  await addToBundle(folder, "HUVEC", changed, { trained: true });
  assert.notEqual((await readBundle(folder)).version, version);
});

test("adding a cell type keeps the others", async (t) => {
  const folder = await writeTinyBundle(t);
  await addToBundle(folder, "U2OS", tiny.weights, { trained: false, metrics: { accuracy: 0.5 } });
  const { manifest, weights } = await readBundle(folder);
  assert.deepEqual([...weights.keys()], ["HUVEC", "U2OS"]);
  assert.equal(manifest.cellTypes.HUVEC!.trained, true);
  assert.deepEqual(manifest.cellTypes.U2OS!.metrics, { accuracy: 0.5 });
});

test("a bundle that cannot be changed to the end stays the one that it was; once it is, the old weights go", async (t) => {
  const folder = await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] });
  const { version } = await readBundle(folder);
  const other = new Map(tiny.weights).set("classifier.bias", new Float32Array(12).fill(3));
  const both = new Map([
    ["HUVEC", other],
    ["RPE", other],
  ]);
  const inTheWay = join(folder, "bundle.json.part");
  await mkdir(inTheWay);
  await assert.rejects(addToBundle(folder, "HUVEC", other, { trained: true }), /EISDIR/);
  assert.equal((await readBundle(folder)).version, version);
  await assert.rejects(writeBundle(folder, tinyManifest(tiny, ["HUVEC", "RPE"], "new"), both), /EISDIR/);
  assert.equal((await readBundle(folder)).version, version);

  await rm(inTheWay, { recursive: true });
  await addToBundle(folder, "HUVEC", other, { trained: true });
  const { manifest, weights } = await readBundle(folder);
  assert.deepEqual(weights.get("HUVEC")!.get("classifier.bias"), other.get("classifier.bias"));
  const files = ["RPE.safetensors", manifest.cellTypes.HUVEC!.weights, "bundle.json"];
  assert.deepEqual((await readdir(folder)).filter((name) => !name.startsWith("RPE-")).sort(), files.sort());
});

test("cell types whose names make the same file name keep weights of their own", async (t) => {
  const folder = await writeTinyBundle(t, { cellTypes: ["a/b"] });
  const other = new Map(tiny.weights).set("classifier.bias", new Float32Array(12).fill(3));
  await addToBundle(folder, "a_b", other, { trained: true });
  const { weights } = await readBundle(folder);
  assert.deepEqual(weights.get("a/b")!.get("classifier.bias"), tiny.weights.get("classifier.bias"));
  assert.deepEqual(weights.get("a_b")!.get("classifier.bias"), other.get("classifier.bias"));
});

test("everything that is wrong with a bundle is listed at once", async (t) => {
  const folder = await writeTinyBundle(t, { cellTypes: ["A", "B", "C"] });
  await rm(join(folder, "A.safetensors"));
  await truncate(join(folder, "B.safetensors"), 1000);
  await assert.rejects(readBundle(folder), (error: Error) => {
    assert.match(error.message, /^\[invalid-model\] bundle .* cannot be used:/);
    assert.match(error.message, /A\.safetensors.*no such file/);
    assert.match(error.message, /B\.safetensors has SHA-256 .* was changed or is cut off/);
    assert.doesNotMatch(error.message, /C\.safetensors/);
    return true;
  });
});

test("a manifest with mistakes names each by its place", async (t) => {
  const folder = await writeTinyBundle(t);
  const path = join(folder, "bundle.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  await writeFile(
    path,
    JSON.stringify({ ...manifest, classes: ["a"], input: { scale: [1, 2], offset: 0 }, colour: 1 }),
  );
  await assert.rejects(readBundle(folder), (error: Error) => {
    assert.match(error.message, /\[invalid-model\] .*bundle\.json is not a manifest of a bundle:/);
    assert.match(error.message, /colour/);
    return true;
  });
  await writeFile(path, JSON.stringify({ ...manifest, classes: ["a"], input: { scale: [1, 2], offset: 0 } }));
  await assert.rejects(readBundle(folder), (error: Error) => {
    assert.match(error.message, /classes: names 1 classes, the architecture has 12/);
    assert.match(error.message, /input\.scale: has 2 values, the images have 6 channels/);
    return true;
  });
  await writeFile(path, "{");
  await assert.rejects(readBundle(folder), /bundle\.json is not JSON/);
  await mkdir(join(folder, "empty"));
  await assert.rejects(readBundle(join(folder, "empty")), /is not a bundle.*`pipeline model new` makes one/);
});

test("a network beyond all that anybody serves, or of images too small for it, is refused before it is computed", () => {
  const problems = (change: object): string[] => {
    const parsed = architectureSchema.safeParse({ ...small, ...change });
    return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join("."));
  };
  assert.deepEqual(problems({}), []);
  for (const [change, place] of [
    [{ blocks: [1e9] }, "blocks.0"],
    [{ blocks: Array(9).fill(1) }, "blocks"],
    [{ growth: 1e9 }, "growth"],
    [{ height: 1e9 }, "height"],
    [{ width: 3 }, "width"],
    [{ height: 0 }, "height"],
    [{ classes: 1e9 }, "classes"],
  ] as const)
    assert.ok(problems(change).includes(place), `${JSON.stringify(change)}: ${problems(change)}`);
});

test("weights whose hash is right and whose numbers are none, or too few, are no bundle", async (t) => {
  for (const [change, problem] of [
    [(values: Float32Array) => values.fill(Number.NaN, 0, 1), /holds NaN at 0/],
    [(values: Float32Array) => values.subarray(1), /bn|features|classifier/],
  ] as const) {
    const folder = await writeTinyBundle(t);
    const [path, weights] = [join(folder, "bundle.json"), join(folder, "HUVEC.safetensors")];
    const tensors = readSafetensors(await readFile(weights), "weights");
    const [name, { data }] = [...tensors][0]!;
    const changed = change(data as Float32Array);
    tensors.set(name, { shape: [changed.length], data: changed });
    const bytes = writeSafetensors(tensors);
    await writeFile(weights, bytes);
    const manifest = JSON.parse(await readFile(path, "utf8"));
    manifest.cellTypes.HUVEC.sha256 = createHash("sha256").update(bytes).digest("hex");
    await writeFile(path, JSON.stringify(manifest));
    await assert.rejects(readBundle(folder), (error: Error) => {
      assert.match(error.message, /^\[invalid-model\] bundle .* cannot be used:/);
      assert.match(error.message, problem);
      return true;
    });
  }
});

test("weights that do not fit are refused before anything is written, every tensor named", async (t) => {
  const folder = await temporaryFolder(t);
  const wrong = new Map(tiny.weights);
  wrong.delete("bn.weight");
  wrong.set("classifier.bias", new Float32Array(3));
  wrong.set(
    "features.norm0.running_var",
    tiny.weights.get("features.norm0.running_var")!.map(() => -1),
  );
  await assert.rejects(
    writeBundle(folder, tinyManifest(tiny, ["HUVEC"], "wrong"), new Map([["HUVEC", wrong]])),
    (error: Error) => {
      assert.match(error.message, /bn\.weight \[6\] is missing/);
      assert.match(error.message, /classifier\.bias has 3 values, \[12\] needs 12/);
      assert.match(error.message, /features\.norm0\.running_var holds -1 at 0/);
      return true;
    },
  );
  assert.deepEqual(await readdir(folder), []);
});

test("fresh weights: convolutions of He's variance, BatchNorm the identity, and a seed that makes the difference", () => {
  const weights = initialWeights(small, 3);
  for (const [name, values] of weights) {
    if (name.endsWith("running_var") || /(?:norm\d?|bn)\.weight$/.test(name))
      assert.ok(
        values.every((v) => v === 1),
        name,
      );
    else if (name.endsWith("running_mean") || name.endsWith("bias"))
      assert.ok(
        values.every((v) => v === 0),
        name,
      );
  }
  const filters = weights.get("features.conv0.weight")!; // [24, 6, 5, 5]
  const variance = filters.reduce((sum, value) => sum + value * value, 0) / filters.length;
  assert.ok(Math.abs(variance / (2 / 150) - 1) < 0.1, `variance ${variance}`);
  assert.deepEqual(initialWeights(small, 3), weights);
  assert.notDeepEqual(initialWeights(small, 4), weights);
});
